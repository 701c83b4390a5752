//! What goes wrong in a run, drawn by chance.

use cpr_operator::simulate::consumer::{Behaviour, Chosen, RetryAfter as Hint};
use cpr_operator::simulate::datafordeler::{Fault, RetryAfter};

use crate::support::chance::Chance;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The program is killed.
    Kill,
    /// The program is asked to end.
    Terminate,
    /// The program stands still; another is started on its files, and refused.
    StandStill,
    /// The register answers wrongly, slowly or not at all.
    Register,
    /// The register is away.
    RegisterAway,
    /// The network to the register is cut.
    RegisterCut,
    /// An import fails and comes again with new ids, stays unfinished, is lost, or the status goes back.
    Import,
    /// A receiver begins to behave in another way.
    Receiver,
    /// The network to a receiver is cut.
    ReceiverCut,
    /// The cluster's API server is away.
    ClusterAway,
    /// The wall clock of the program is stepped, and put right again.
    ClockStep,
}

/// Every kind, with how often it comes.
const SHARES: [(Kind, u64); 11] = [
    (Kind::Kill, 34),
    (Kind::Terminate, 6),
    (Kind::StandStill, 5),
    (Kind::Register, 12),
    (Kind::RegisterAway, 4),
    (Kind::RegisterCut, 5),
    (Kind::Import, 8),
    (Kind::Receiver, 14),
    (Kind::ReceiverCut, 8),
    (Kind::ClusterAway, 4),
    (Kind::ClockStep, 5),
];

/// Draws a kind.
pub fn draw(chance: &mut Chance) -> Kind {
    chance.one_of(&SHARES)
}

/// By how many seconds a clock is stepped: by more than receivers allow to a signature, or less.
pub fn of_clock(chance: &mut Chance) -> i64 {
    chance.one_of(&[(7_200, 2), (200, 1), (-200, 1), (-1_200, 2)])
}

/// What the register does wrong.
pub fn of_register(chance: &mut Chance) -> Fault {
    match chance.below(10) {
        0 => Fault::Slow { millis: 300 },
        1 => Fault::Unauthorized,
        2 => Fault::TooMany { retry_after: RetryAfter::Seconds(1) },
        3 => Fault::ServerError { status: 503 },
        4 => Fault::Cut,
        5 => Fault::HangUp,
        6 => Fault::Duplicate,
        7 => Fault::BrokenJson,
        8 => Fault::UnknownField,
        _ => Fault::TooMany { retry_after: RetryAfter::Date(1) },
    }
}

/// How a receiver behaves from now on. What it asks for by Retry-After is so long that obeying can be told from chance.
pub fn of_receiver(chance: &mut Chance) -> Behaviour {
    match chance.below(15) {
        0 => Behaviour::Status { status: 500 },
        1 => Behaviour::StatusWithRetryAfter { status: 503, retry_after: Hint::Seconds(4) },
        2 | 3 => Behaviour::StatusWithRetryAfter { status: 429, retry_after: Hint::Seconds(3) },
        4 => Behaviour::StatusWithRetryAfter { status: 429, retry_after: Hint::Date(5) },
        5 => Behaviour::CutConnection,
        6 => Behaviour::CutAfterAccepting,
        7 => Behaviour::Slow { millis: 100 + chance.below(1_200) },
        8 => Behaviour::Slow { millis: 2_600 },
        9 => Behaviour::Drip,
        10 => Behaviour::Status { status: 400 },
        11 => Behaviour::Hang,
        12 => Behaviour::FailFor { chosen: Chosen::Percent(30) },
        _ => Behaviour::Accept,
    }
}
