//! Civil-registration status: the register's codes and what they mean for residence.

use serde::{Deserialize, Serialize};

/// A status as the register gives it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum StatusCode {
    /// 01: resident in Denmark.
    Resident,
    /// 03: resident in Denmark, special road code.
    ResidentSpecialRoad,
    /// 05: resident in Greenland.
    Greenland,
    /// 07: resident in Greenland, special road code.
    GreenlandSpecialRoad,
    /// 20: without residence, number given for tax.
    NoResidence,
    /// 30: number cancelled.
    Cancelled,
    /// 50: number closed as a double.
    Closed,
    /// 60: number replaced after a change of birth date or sex.
    Replaced,
    /// 70: disappeared.
    Disappeared,
    /// 80: emigrated.
    Emigrated,
    /// 90: dead.
    Dead,
    /// A text that we do not know, kept as it came.
    Other(String),
}

/// What a status means for who is covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Presence {
    /// Lives in Denmark or Greenland.
    Resident,
    /// Died, emigrated or disappeared: followed for a while.
    Inactive,
    /// Known for administration only.
    Administrative,
    /// The entry itself is cancelled, closed or replaced.
    Void,
}

impl StatusCode {
    /// The two-digit code; none for a text that we do not know.
    pub fn code(&self) -> Option<u8> {
        Some(match self {
            Self::Resident => 1,
            Self::ResidentSpecialRoad => 3,
            Self::Greenland => 5,
            Self::GreenlandSpecialRoad => 7,
            Self::NoResidence => 20,
            Self::Cancelled => 30,
            Self::Closed => 50,
            Self::Replaced => 60,
            Self::Disappeared => 70,
            Self::Emigrated => 80,
            Self::Dead => 90,
            Self::Other(_) => return None,
        })
    }

    /// The status of a two-digit code.
    pub fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Resident,
            3 => Self::ResidentSpecialRoad,
            5 => Self::Greenland,
            7 => Self::GreenlandSpecialRoad,
            20 => Self::NoResidence,
            30 => Self::Cancelled,
            50 => Self::Closed,
            60 => Self::Replaced,
            70 => Self::Disappeared,
            80 => Self::Emigrated,
            90 => Self::Dead,
            _ => return None,
        })
    }

    /// A short English text for people.
    pub fn text(&self) -> &str {
        match self {
            Self::Resident => "Resident in Denmark",
            Self::ResidentSpecialRoad => "Resident in Denmark, special road code",
            Self::Greenland => "Resident in Greenland",
            Self::GreenlandSpecialRoad => "Resident in Greenland, special road code",
            Self::NoResidence => "No residence",
            Self::Cancelled => "Number cancelled",
            Self::Closed => "Number closed",
            Self::Replaced => "Number replaced",
            Self::Disappeared => "Disappeared",
            Self::Emigrated => "Emigrated",
            Self::Dead => "Dead",
            Self::Other(text) => text,
        }
    }

    /// What it means for who is covered. A text that we do not know is no residence.
    pub fn presence(&self) -> Presence {
        match self {
            Self::Resident | Self::ResidentSpecialRoad | Self::Greenland | Self::GreenlandSpecialRoad => {
                Presence::Resident
            }
            Self::Disappeared | Self::Emigrated | Self::Dead => Presence::Inactive,
            Self::NoResidence | Self::Other(_) => Presence::Administrative,
            Self::Cancelled | Self::Closed | Self::Replaced => Presence::Void,
        }
    }
}
