//! The compiled form of a checked source.

use super::validate::Checked;
use crate::api::source::{LoadingDays, MunicipalityCodeForm};
use crate::domain::compiled::{Calendar, MunicipalityCodes, Source};
use crate::operator::refusal::Refusal;

/// A compiled source, and what is said of it although it may be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// The form that ingest works from.
    pub compiled: Source,
    /// Something asked for that is not had.
    pub complaint: Option<Refusal>,
}

/// Builds the compiled form.
pub fn build(checked: Checked) -> Wanted {
    let compiled = Source {
        key: checked.key,
        environment: checked.environment,
        graphql: checked.graphql,
        auth: checked.auth,
        ca_bundle: checked.ca_bundle,
        proxy: checked.proxy,
        allowed_networks: checked.networks.networks,
        municipality_codes: match checked.municipality_codes {
            MunicipalityCodeForm::Both => MunicipalityCodes::Both,
            MunicipalityCodeForm::FourDigits => MunicipalityCodes::FourDigits,
            MunicipalityCodeForm::ThreeDigits => MunicipalityCodes::ThreeDigits,
        },
        poll_interval: checked.poll_interval,
        calendar: match checked.calendar {
            LoadingDays::Weekdays => Calendar::Weekdays,
            LoadingDays::Daily => Calendar::Daily,
        },
        suspended: checked.suspended,
        asked_at: checked.asked_at,
        grants: checked.grants,
    };
    Wanted { compiled, complaint: checked.networks.complaint }
}
