//! The compiled form of a checked consumer.

use super::rights::Rights;
use super::validate::Checked;
use crate::api::delivery;
use crate::domain::compiled::{Consumer, Delivery, Verification};
use crate::operator::record::Given;
use crate::operator::refusal::Refusal;

/// A compiled consumer, and what is said of it although it may receive.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The form that delivery works from.
    pub compiled: Consumer,
    /// What it gives, for the audit record.
    pub given: Given,
    /// Something asked for that is not had.
    pub complaint: Option<Refusal>,
}

/// Builds the compiled form.
pub fn build(checked: Checked) -> Wanted {
    let complaint = checked.networks.complaint.clone();
    let given = build_given(&checked.rights);
    let compiled = Consumer {
        key: checked.key.clone(),
        display_name: checked.display_name.clone(),
        organisation: checked.organisation.clone(),
        cvr: checked.cvr.clone(),
        sector: checked.rights.sector,
        environment: checked.rights.environment,
        fields: checked.rights.fields,
        protected_persons: checked.rights.protected_persons,
        suspended: checked.suspended,
        delivery: build_delivery(checked),
    };
    Wanted { compiled, given, complaint }
}

fn build_given(rights: &Rights) -> Given {
    Given {
        purposes: rights.purposes.keys().cloned().collect(),
        bases: rights.purposes.values().flat_map(|purpose| purpose.bases.clone()).collect(),
        groups: rights.fields,
        grants: Vec::new(),
    }
}

fn build_delivery(checked: Checked) -> Delivery {
    Delivery {
        url: checked.url,
        verification: match checked.verification {
            delivery::Verification::Echo => Verification::Echo,
            delivery::Verification::Status => Verification::Status,
        },
        ca_bundle: checked.ca_bundle,
        timeout: checked.timeout,
        max_in_flight: checked.max_in_flight,
        rate_per_second: checked.rate_per_second,
        retry: checked.retry,
        allowed_networks: checked.networks.networks,
        oauth2: checked.oauth2,
        client_certificate: checked.client_certificate,
    }
}
