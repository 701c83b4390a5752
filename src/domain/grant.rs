//! Grants: what the authority of a source lets other namespaces have of it, and the one place that says what that allows.
//!
//! The operator asks where a subscription is compiled, delivery asks again for each event right before it is sent.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::field_group::GroupSet;
use super::municipality::Municipality;
use super::resource::{ProtectedPersons, Sector};

/// The most that the consumers of one other namespace may have of a source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    /// The namespace.
    pub namespace: String,
    /// Which sector its consumers may be of; a private one may be served under a public grant, not the other way round.
    pub sector: Sector,
    /// Field groups.
    pub fields: GroupSet,
    /// Where persons have to live; nobody by place where it is empty and `everyone` is not set.
    pub municipalities: BTreeSet<Municipality>,
    /// Whether they may live anywhere.
    pub everyone: bool,
    /// What may be given of protected persons.
    pub protected_persons: ProtectedPersons,
    /// Where deliveries may go.
    pub hosts: Vec<HostPattern>,
}

impl Grant {
    /// Where persons have to live.
    pub fn places(&self) -> Places {
        if self.everyone { Places::Anywhere } else { Places::Within(self.municipalities.clone()) }
    }

    /// All that it says in one line, for the audit record.
    pub fn summary(&self) -> String {
        let places = match &self.places() {
            Places::Anywhere => "everyone".to_owned(),
            Places::Within(all) => all.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        };
        let hosts: Vec<_> = self.hosts.iter().map(ToString::to_string).collect();
        format!(
            "namespace={} sector={:?} fields={} places={places} protectedPersons={:?} hosts={}",
            self.namespace,
            self.sector,
            self.fields.names().join(","),
            self.protected_persons,
            hosts.join(",")
        )
    }

    fn allows_sector(&self, sector: Sector) -> bool {
        self.sector == Sector::Public || sector == Sector::Private
    }

    /// Whether deliveries may go to this address.
    pub fn allows_host(&self, url: &Url) -> bool {
        self.hosts.iter().any(|pattern| pattern.matches(url))
    }
}

/// Where persons have to live of whom something may be told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Places {
    /// Anywhere.
    #[default]
    Anywhere,
    /// In one of these.
    Within(BTreeSet<Municipality>),
}

impl Places {
    /// Whether a person who lives there, or last lived there, is within. Who has no place is within `Anywhere` alone.
    pub fn covers_place(&self, place: Option<Municipality>) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Within(all) => place.is_some_and(|place| all.contains(&place)),
        }
    }
}

/// What a namespace may have of a source.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Allowance<'a> {
    /// The source is its own: no ceiling.
    Own,
    /// As much as this grant says.
    Granted(&'a Grant),
    /// Nothing.
    Nothing,
}

/// Why a grant lets nothing go out to a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barred {
    /// There is no grant.
    NotGranted,
    /// The grant is for private parties, and the consumer says that it is a public authority.
    Sector,
    /// The grant does not name the host.
    Host,
}

impl Barred {
    /// The word for it: a condition's reason, and the class of a withdrawal.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NotGranted => "NotGranted",
            Self::Sector => "SectorNotGranted",
            Self::Host => "HostNotGranted",
        }
    }
}

impl<'a> Allowance<'a> {
    /// What `namespace` may have of a source of `authority` with these grants. A grant to the authority itself means nothing.
    pub fn of(authority: &str, grants: &'a [Grant], namespace: &str) -> Self {
        if authority == namespace {
            return Self::Own;
        }
        grants.iter().find(|grant| grant.namespace == namespace).map_or(Self::Nothing, Self::Granted)
    }

    /// The grant, where it is one that limits.
    fn grant(self) -> Option<&'a Grant> {
        match self {
            Self::Granted(grant) => Some(grant),
            Self::Own | Self::Nothing => None,
        }
    }

    /// Whether anything may go to a consumer of this sector at this address.
    pub fn admits(self, sector: Sector, url: &Url) -> Result<(), Barred> {
        match self {
            Self::Own => Ok(()),
            Self::Nothing => Err(Barred::NotGranted),
            Self::Granted(grant) if !grant.allows_sector(sector) => Err(Barred::Sector),
            Self::Granted(grant) if !grant.allows_host(url) => Err(Barred::Host),
            Self::Granted(_) => Ok(()),
        }
    }

    /// What is left of these groups.
    pub fn groups(self, groups: GroupSet) -> GroupSet {
        match self {
            Self::Own => groups,
            Self::Granted(grant) => groups.intersection(grant.fields),
            Self::Nothing => GroupSet::EMPTY,
        }
    }

    /// What may be given of protected persons: the stricter of both.
    pub fn protected_persons(self, asked: ProtectedPersons) -> ProtectedPersons {
        match self {
            Self::Own => asked,
            Self::Granted(grant) => asked.stricter(grant.protected_persons),
            Self::Nothing => ProtectedPersons::Deny,
        }
    }

    /// Where persons have to live.
    pub fn places(self) -> Places {
        match self {
            Self::Own => Places::Anywhere,
            Self::Granted(grant) => grant.places(),
            Self::Nothing => Places::Within(BTreeSet::new()),
        }
    }

    /// Whether something may be told of an event that concerns a person who lived at these places, before or after it.
    pub fn covers_any(self, places: &[Municipality]) -> bool {
        match self.grant() {
            Some(grant) => grant.everyone || places.iter().any(|place| grant.municipalities.contains(place)),
            None => self == Self::Own,
        }
    }
}

/// A host that deliveries may go to: a name, or `*.` and a name for every name that has one label more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostPattern(String);

/// A text that is no pattern of hosts.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a host name in lower case, nor *. and a name of at least two labels")]
pub struct NotAHostPattern;

impl HostPattern {
    /// Reads a pattern. Addresses by number are none.
    pub fn parse(text: &str) -> Result<Self, NotAHostPattern> {
        let (name, least) = text.strip_prefix("*.").map_or((text, 1), |name| (name, 2));
        let labels: Vec<&str> = name.split('.').collect();
        let is_numeric = labels.last().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
        let fits = text.len() <= 253 && labels.len() >= least && !is_numeric && labels.iter().all(|l| is_label(l));
        if fits { Ok(Self(text.to_owned())) } else { Err(NotAHostPattern) }
    }

    /// Whether an address has such a host. One by number has not; case does not count, nor one dot at the end.
    pub fn matches(&self, url: &Url) -> bool {
        let Some(Host::Domain(host)) = url.host() else { return false };
        let host = host.to_ascii_lowercase();
        let host = host.strip_suffix('.').unwrap_or(&host);
        match self.0.strip_prefix("*.") {
            None => host == self.0,
            Some(parent) => host.split_once('.').is_some_and(|(first, rest)| !first.is_empty() && rest == parent),
        }
    }
}

fn is_label(label: &str) -> bool {
    let within = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&label.len()) && label.bytes().all(within) && !label.starts_with('-') && !label.ends_with('-')
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for HostPattern {
    type Error = NotAHostPattern;

    fn try_from(text: String) -> Result<Self, NotAHostPattern> {
        Self::parse(&text)
    }
}

impl From<HostPattern> for String {
    fn from(pattern: HostPattern) -> String {
        pattern.0
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::domain::field_group::FieldGroup;

    fn grant() -> Grant {
        Grant {
            namespace: "tenant".into(),
            sector: Sector::Public,
            fields: GroupSet::of(&[FieldGroup::Status, FieldGroup::Name]),
            municipalities: [Municipality::from_code(851).unwrap()].into(),
            everyone: false,
            protected_persons: ProtectedPersons::Mask,
            hosts: vec![HostPattern::parse("*.example.org").unwrap()],
        }
    }

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn a_pattern_is_a_name_or_a_whole_first_label_before_two() {
        for good in ["a.example.org", "localhost", "*.example.org", "xn--a.example.org", "a-1.b2"] {
            assert!(HostPattern::parse(good).is_ok(), "{good}");
        }
        let long = format!("{}.org", "a".repeat(64));
        for bad in [
            "",
            "*",
            "*.",
            "*.org",
            "**.a.b",
            "a*.example.org",
            "a.*.org",
            "A.example.org",
            "a.example.org.",
            "a..b",
            "-a.org",
            "a-.org",
            "10.0.0.1",
            "[::1]",
            "a.b:443",
            "a/b",
            "æble.example.org",
            "*.*.b.c",
            &long,
        ] {
            assert_eq!(HostPattern::parse(bad), Err(NotAHostPattern), "{bad}");
        }
    }

    #[test]
    fn a_host_matches_as_a_whole_whatever_its_spelling() {
        let (exact, wild) =
            (HostPattern::parse("a.example.org").unwrap(), HostPattern::parse("*.example.org").unwrap());
        for (address, is_exact, is_wild) in [
            ("https://a.example.org/x", true, true),
            ("https://A.Example.ORG:8443", true, true),
            ("https://a.example.org./", true, true),
            ("https://b.example.org", false, true),
            ("https://a.b.example.org", false, false),
            ("https://example.org", false, false),
            ("https://a.example.org.evil.test", false, false),
            ("https://aexample.org", false, false),
            ("https://a.example.org@evil.test/", false, false),
            ("https://evil.test/a.example.org", false, false),
            ("https://.example.org", false, false),
            ("https://10.0.0.1", false, false),
            ("https://0x7f.1", false, false),
            ("https://[::1]", false, false),
        ] {
            let Ok(url) = address.parse::<Url>() else { continue };
            assert_eq!((exact.matches(&url), wild.matches(&url)), (is_exact, is_wild), "{address}");
        }
        let idn = url("https://æble.example.org");
        assert!(HostPattern::parse(idn.host_str().unwrap()).unwrap().matches(&idn), "written as it is asked for");
    }

    #[test]
    fn the_authority_needs_no_grant_and_nobody_else_gets_by_without() {
        let grants = [grant()];
        assert_eq!(Allowance::of("owner", &grants, "owner"), Allowance::Own);
        assert_eq!(Allowance::of("owner", &grants, "tenant"), Allowance::Granted(&grants[0]));
        for other in ["tenant2", "tenan", "Tenant", "", "*"] {
            assert_eq!(Allowance::of("owner", &grants, other), Allowance::Nothing, "{other}");
        }
    }

    #[test]
    fn a_grant_bars_another_host_and_a_sector_that_it_is_not_for() {
        let (public, private) = (grant(), Grant { sector: Sector::Private, ..grant() });
        let (fine, other) = (url("https://a.example.org"), url("https://a.example.com"));
        for (allowance, sector, url, expected) in [
            (Allowance::Own, Sector::Public, &other, Ok(())),
            (Allowance::Nothing, Sector::Public, &fine, Err(Barred::NotGranted)),
            (Allowance::Granted(&public), Sector::Public, &fine, Ok(())),
            (Allowance::Granted(&public), Sector::Private, &fine, Ok(())),
            (Allowance::Granted(&private), Sector::Private, &fine, Ok(())),
            (Allowance::Granted(&private), Sector::Public, &fine, Err(Barred::Sector)),
            (Allowance::Granted(&public), Sector::Public, &other, Err(Barred::Host)),
        ] {
            assert_eq!(allowance.admits(sector, url), expected, "{allowance:?}");
        }
    }

    #[test]
    fn what_is_left_is_never_more_than_either_says() {
        let grant = grant();
        let (granted, place) = (Allowance::Granted(&grant), Municipality::from_code(851).unwrap());
        let elsewhere = Municipality::from_code(101).unwrap();
        let asked = GroupSet::of(&[FieldGroup::Name, FieldGroup::Address]);
        assert_eq!(granted.groups(asked), GroupSet::of(&[FieldGroup::Name]));
        assert_eq!((Allowance::Own.groups(asked), Allowance::Nothing.groups(asked)), (asked, GroupSet::EMPTY));
        use ProtectedPersons::{Allow, Deny, Mask};
        assert_eq!([Allow, Mask, Deny].map(|p| granted.protected_persons(p)), [Mask, Mask, Deny]);
        assert!(
            granted.covers_any(&[elsewhere, place]) && !granted.covers_any(&[elsewhere]) && !granted.covers_any(&[])
        );
        assert!(Allowance::Own.covers_any(&[]) && !Allowance::Nothing.covers_any(&[place]));
        assert!(granted.places().covers_place(Some(place)) && !granted.places().covers_place(None));
        let everyone = Grant { everyone: true, ..grant.clone() };
        assert!(everyone.places().covers_place(None) && Allowance::Granted(&everyone).covers_any(&[]));
        let nobody = Grant { municipalities: BTreeSet::new(), ..grant.clone() };
        assert!(!nobody.places().covers_place(Some(place)));
    }
}
