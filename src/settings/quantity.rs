//! Amounts of processor time and memory, in the forms that the cluster keeps as they are written.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, de::Error};

/// A text that is no such amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAmount {
    /// Of processor time.
    #[error("write processor time like 250m, 1 or 1.5, at most 999 cores")]
    Cpu,
    /// Of memory.
    #[error("write memory like 256Mi or 2Gi, at most 1023Gi")]
    Memory,
}

/// Processor time, in thousandths of a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cpu(pub u32);

/// Memory, in Mi.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Memory(pub u32);

impl FromStr for Cpu {
    type Err = NotAnAmount;

    fn from_str(text: &str) -> Result<Self, NotAnAmount> {
        let milli = match text.strip_suffix('m') {
            Some(milli) => number(milli),
            None => cores(text),
        };
        milli.filter(|milli| (1..1_000_000).contains(milli)).map(Self).ok_or(NotAnAmount::Cpu)
    }
}

/// Whole cores with at most three decimals, in thousandths.
fn cores(text: &str) -> Option<u32> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    if part.is_empty() || part.len() > 3 {
        return None;
    }
    number(whole)?.checked_mul(1000)?.checked_add(number(&format!("{part:0<3}"))?)
}

impl FromStr for Memory {
    type Err = NotAnAmount;

    fn from_str(text: &str) -> Result<Self, NotAnAmount> {
        let mebi = match text.strip_suffix("Gi") {
            Some(gibi) => number(gibi).and_then(|gibi| gibi.checked_mul(1024)),
            None => text.strip_suffix("Mi").and_then(number),
        };
        mebi.filter(|mebi| (1..1024 * 1024).contains(mebi)).map(Self).ok_or(NotAnAmount::Memory)
    }
}

/// Digits alone: no sign.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl fmt::Display for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 % 1000 {
            0 => write!(f, "{}", self.0 / 1000),
            _ => write!(f, "{}m", self.0),
        }
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 % 1024 {
            0 => write!(f, "{}Gi", self.0 / 1024),
            _ => write!(f, "{}Mi", self.0),
        }
    }
}

macro_rules! read_as_text {
    ($($amount:ty),*) => { $(
        impl<'de> Deserialize<'de> for $amount {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(|why| D::Error::custom(format!("{text:?}: {why}")))
            }
        }
    )* };
}

read_as_text!(Cpu, Memory);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_written_as_the_cluster_keeps_them() {
        for (text, kept) in [("250m", "250m"), ("1000m", "1"), ("1", "1"), ("0.5", "500m"), ("1.25", "1250m")] {
            assert_eq!(text.parse::<Cpu>().map(|cpu| cpu.to_string()).as_deref(), Ok(kept), "{text}");
        }
        for (text, kept) in [("256Mi", "256Mi"), ("1024Mi", "1Gi"), ("1536Mi", "1536Mi"), ("2Gi", "2Gi")] {
            assert_eq!(text.parse::<Memory>().map(|memory| memory.to_string()).as_deref(), Ok(kept), "{text}");
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for text in ["", "0", "0m", "m", "-1", "+1", "1.", ".5", "1.0001", "1k", "1000", "4294967296"] {
            assert_eq!(text.parse::<Cpu>(), Err(NotAnAmount::Cpu), "{text}");
        }
        for text in ["", "0Mi", "128", "128M", "1.5Gi", "-1Gi", "1024Gi", "4194304Gi"] {
            assert_eq!(text.parse::<Memory>(), Err(NotAnAmount::Memory), "{text}");
        }
    }

    #[test]
    fn more_is_greater() {
        assert!("1500m".parse::<Cpu>().ok() > "1".parse::<Cpu>().ok());
        assert!("1Gi".parse::<Memory>().ok() > "1023Mi".parse::<Memory>().ok());
    }
}
