//! Why a resource, or something that it refers to, cannot be used, and who can change that.

/// Why something cannot be used. Becomes a condition's reason and message; never holds what a Secret holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Stable word.
    pub reason: &'static str,
    /// For people: what is wrong and what to do.
    pub message: String,
    /// Who can change it.
    pub remedy: Remedy,
}

/// Who can change that something cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Only the resource's author, by another spec.
    Author,
    /// Others: something else has to appear or to change.
    Others,
}

impl Refusal {
    /// A refusal that only another spec lifts.
    pub fn by_author(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), remedy: Remedy::Author }
    }

    /// A refusal that is lifted when something else appears or changes.
    pub fn by_others(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), remedy: Remedy::Others }
    }
}
