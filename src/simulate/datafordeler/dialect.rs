//! The names and forms that the register's documents leave open, and the ways in which they may turn out.

/// Which way the open names and forms turned out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Names {
    /// As documented and observed.
    #[default]
    Documented,
    /// `fornavn`, `person.personid.eq`, `Aktuel`, codes of three digits, single objects, paging, more event filters.
    Other,
    /// Nobody can be looked up by PersonID.
    WithoutPersonId,
    /// Notes, municipal conditions and guardianship are not offered.
    Fewer,
}

/// How people can be asked for by PersonID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PersonFilter {
    /// `person: { id: { eq, in } }`.
    Id,
    /// `person: { personid: { eq } }`.
    PersonId,
    Missing,
}

/// What [`Names`] means, one decision per member.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dialect {
    /// The member with the given names.
    pub first_names: &'static str,
    pub person_filter: PersonFilter,
    /// `Aktuel` instead of `aktuel`.
    pub capitals: bool,
    /// `101` instead of `0101`.
    pub short_codes: bool,
    /// Groups that are one object, not a list.
    pub singles: &'static [&'static str],
    /// Members of a person that are not offered.
    pub left_out: &'static [&'static str],
    /// Whether look-ups are paged.
    pub paged_lookup: bool,
    /// Whether events can be filtered by sequence number and object id.
    pub more_event_filters: bool,
}

impl From<Names> for Dialect {
    fn from(names: Names) -> Self {
        let documented = Self {
            first_names: "fornavne",
            person_filter: PersonFilter::Id,
            capitals: false,
            short_codes: false,
            singles: &[],
            left_out: &[],
            paged_lookup: false,
            more_event_filters: false,
        };
        match names {
            Names::Documented => documented,
            Names::Other => Self {
                first_names: "fornavn",
                person_filter: PersonFilter::PersonId,
                capitals: true,
                short_codes: true,
                singles: &["kontaktadresse", "folkekirke", "vaergemaal"],
                left_out: &[],
                paged_lookup: true,
                more_event_filters: true,
            },
            Names::WithoutPersonId => Self { person_filter: PersonFilter::Missing, ..documented },
            Names::Fewer => Self { left_out: &["notater", "kommunaleForhold", "vaergemaal"], ..documented },
        }
    }
}

impl Dialect {
    /// A row status as this register writes it.
    pub(super) fn row_status(&self, text: &str) -> String {
        let mut letters = text.chars();
        match letters.next() {
            Some(first) if self.capitals => first.to_uppercase().chain(letters).collect(),
            _ => text.to_owned(),
        }
    }

    /// A municipality code of four digits as this register writes it.
    pub(super) fn municipality<'a>(&self, code: &'a str) -> &'a str {
        if self.short_codes { code.strip_prefix('0').unwrap_or(code) } else { code }
    }
}
