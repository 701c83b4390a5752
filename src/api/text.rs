//! Texts with a rule of their own: each type carries it in its schema, so that the API server says what is wrong.
//!
//! The rules are CEL rather than patterns, since their message names the fix.

use std::fmt;
use std::time::Duration;

use ipnet::IpNet;
use jiff::Timestamp;
use jiff::civil::Date;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::domain::duration::{self, NotADuration};
use crate::domain::municipality::{Municipality, NotAMunicipality};

/// A CEL rule and what is said when it does not hold.
type Rule<'a> = (&'a str, &'a str);

/// The schema of a text of 1 to `max` characters for which `rules` hold.
fn schema(max: usize, rules: &[Rule<'_>]) -> Schema {
    let rules: Vec<_> =
        rules.iter().map(|(rule, message)| serde_json::json!({ "rule": rule, "message": message })).collect();
    json_schema!({ "type": "string", "minLength": 1, "maxLength": max, "x-kubernetes-validations": rules })
}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident = $schema:expr;)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The text as it was written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    )* };
}

texts! {
    /// The name of a Kubernetes object.
    ObjectName = schema(253, &[(
        "self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",
        "must be the name of an object: lower-case letters, digits, '-' and '.', starting and ending with a letter or digit",
    )]);

    /// The name of one namespace.
    NamespaceName = schema(63, &[(
        "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
        "must be the name of one namespace: lower-case letters, digits and '-', starting and ending with a letter or digit; there is no wildcard",
    )]);

    /// The name of a host, or `*.` before one.
    HostName = schema(253, &[
        (
            "self.matches('^([*][.])?[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",
            "must be a host name in lower case without port and path, such as receiver.example.org or *.example.org; '*' stands for one whole label, the first",
        ),
        ("!self.startsWith('*.') || self.matches('^[*][.][^.]+[.]')", "must have at least two labels after '*.', such as *.example.org"),
        ("!self.matches('^(.*[.])?[0-9]+$')", "must be a name, not an address by number"),
        ("!self.matches('[^.]{64}')", "must have labels of at most 63 characters"),
    ]);

    /// A key in the data of a Secret or ConfigMap.
    DataKey = schema(253, &[(
        "self.matches('^[-._a-zA-Z0-9]+$')",
        "must be a key of a Secret or ConfigMap: letters, digits, '-', '_' and '.'",
    )]);

    /// The id of a purpose: a DNS label.
    PurposeId = schema(63, &[(
        "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
        "must be lower-case letters, digits and '-', starting and ending with a letter or digit, such as case-work",
    )]);

    /// A Danish organisation number.
    Cvr = schema(8, &[("self.matches('^[0-9]{8}$')", "must be a CVR number: eight digits without blanks")]);

    /// A legal basis: GDPR article 6 (1) or 9 (2) with its letter, or databeskyttelsesloven by section, subsection and number.
    LegalBasis = schema(32, &[(
        "self.matches('^(GDPR-6-1-[a-f]|GDPR-9-2-[a-j]|DBL-[1-9][0-9]?[a-z]?(-[1-9][0-9]?){0,3})$')",
        "must be GDPR-6-1-a to GDPR-6-1-f, GDPR-9-2-a to GDPR-9-2-j, or a section of databeskyttelsesloven with subsection and number, such as DBL-11-1 or DBL-11-2-3",
    )]);

    /// An absolute http or https address without user info, query and fragment.
    HttpUrl = schema(1024, &[
        (
            "self.matches('^https?://([^/?#]*@)?([a-zA-Z0-9._-]+|[[][0-9a-fA-F:.]+[]])(:[0-9]{1,5})?([/?#][!-~]*)?$') && isURL(self)",
            "must be an absolute http or https address in ASCII, such as https://receiver.example.org/events",
        ),
        (
            "!self.matches('^[^/]*//[^/]*@') && !self.contains('?') && !self.contains('#')",
            "must not have user info, a query or a fragment: addresses end up in logs, so nothing personal and no secret may stand in them",
        ),
    ]);

    /// Scheme, host and port of an HTTP forward proxy.
    ProxyUrl = schema(1024, &[
        (
            "self.matches('^http://([^/?#]*@)?([a-zA-Z0-9._-]+|[[][0-9a-fA-F:.]+[]]):[0-9]{1,5}/?$') && isURL(self)",
            "must be http, host and port of a forward proxy, such as http://egress.example.org:3128: what goes through it to the register is encrypted all the way",
        ),
        (
            "!self.contains('@')",
            "must not have a user and a password, which everybody could read here: let the proxy know the workers by their addresses",
        ),
    ]);

    /// A range of private addresses in CIDR form.
    PrivateRange = schema(43, &[
        ("isCIDR(self) && cidr(self) == cidr(self).masked()", "must be a range such as 10.20.0.0/16 or fd12:3456::/48, without host bits"),
        (
            "!isCIDR(self) || ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7'].exists(r, cidr(r).containsCIDR(self))",
            "must lie within 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10 or fc00::/7: public addresses need no entry, and loopback and link-local ones are for the platform's settings to open",
        ),
    ]);

    /// A day (`2027-06-01`) or an instant (`2027-06-01T00:00:00Z`).
    DayOrInstant = schema(35, &[(
        "!format.date().validate(self).hasValue() || !format.datetime().validate(self).hasValue()",
        "must be a date such as 2027-06-01 or a time such as 2027-06-01T00:00:00Z",
    )]);

    /// An instant in RFC 3339 form.
    Instant = schema(35, &[("!format.datetime().validate(self).hasValue()", "must be a time such as 2027-06-01T00:00:00Z")]);

    /// A duration of hours, minutes, seconds and milliseconds, such as `1h30m`.
    GoDuration = schema(20, &[]);

    /// An amount of processor time.
    CpuAmount = schema(8, &[(
        "self.matches('^([1-9][0-9]{0,5}m|[1-9][0-9]{0,2}([.][0-9]{1,3})?|0[.]([1-9][0-9]{0,2}|0[1-9][0-9]?|00[1-9]))$')",
        "must be an amount of processor time such as 250m, 1 or 1.5",
    )]);

    /// An amount of memory.
    MemoryAmount = schema(8, &[(
        "self.matches('^([1-9][0-9]{0,5}Mi|[1-9][0-9]{0,2}Gi)$')",
        "must be an amount of memory such as 256Mi or 2Gi",
    )]);

    /// The key of a taint.
    TaintKey = schema(253, &[(
        "self.matches('^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$')",
        "must be the key of a taint, such as dedicated or example.org/dedicated",
    )]);

    /// The value of a taint.
    TaintValue = schema(63, &[(
        "self.matches('^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$')",
        "must be the value of a taint: letters, digits, '-', '_' and '.', starting and ending with a letter or digit",
    )]);

    /// The code of a municipality, four digits.
    MunicipalityCode = municipality_schema();
}

/// The schema of a municipality's code: the rule names every one.
fn municipality_schema() -> Schema {
    let codes: Vec<String> = Municipality::all().map(|m| format!("'{m}'")).collect();
    let rule = format!("self in [{}]", codes.join(", "));
    let message =
        "must be the four-digit code of a present municipality of Denmark or Greenland, such as 0851 for Aalborg";
    schema(4, &[(&rule, message)])
}

impl MunicipalityCode {
    /// The municipality.
    pub fn parse(&self) -> Result<Municipality, NotAMunicipality> {
        Municipality::parse(&self.0)
    }
}

impl GoDuration {
    /// The duration.
    pub fn parse(&self) -> Result<Duration, NotADuration> {
        duration::parse(&self.0)
    }
}

impl HttpUrl {
    /// The address.
    pub fn parse(&self) -> Result<Url, url::ParseError> {
        Url::parse(&self.0)
    }
}

impl PrivateRange {
    /// The range.
    pub fn parse(&self) -> Result<IpNet, ipnet::AddrParseError> {
        self.0.parse()
    }
}

impl Instant {
    /// The instant.
    pub fn parse(&self) -> Result<Timestamp, jiff::Error> {
        self.0.parse()
    }
}

/// What a [`DayOrInstant`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// A day, which lasts until its end in Denmark.
    Day(Date),
    /// An instant.
    Instant(Timestamp),
}

impl DayOrInstant {
    /// The day or the instant.
    pub fn parse(&self) -> Result<When, jiff::Error> {
        if self.0.len() == "2027-06-01".len() {
            self.0.parse().map(When::Day)
        } else {
            self.0.parse().map(When::Instant)
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_day_and_an_instant_are_told_apart() {
        assert_eq!(DayOrInstant::from("2027-06-01").parse().unwrap(), When::Day("2027-06-01".parse().unwrap()));
        let instant = DayOrInstant::from("2027-06-01T02:00:00+02:00").parse().unwrap();
        assert_eq!(instant, When::Instant("2027-06-01T00:00:00Z".parse().unwrap()));
        for bad in ["2027-02-30", "2027-6-1", "2027-06-01T00:00:00", "soon"] {
            assert!(DayOrInstant::from(bad).parse().is_err(), "{bad}");
        }
    }
}
