//! What goes wrong among processes, drawn by chance.

use crate::support::chance::Chance;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A process is killed: one that delivers, one that ingests, the operator.
    KillDeliver,
    KillIngest,
    KillOperator,
    /// A process is asked to end, and is started again.
    Terminate,
    /// A process stands still for longer than others wait for it, and goes on with what it believes to hold.
    StandStill,
    /// The server is killed.
    ServerCrash,
    /// The server is away for some seconds.
    ServerAway,
    /// The server's disk is slow: every writing of its log takes a tenth of a second more.
    DiskSlow,
    /// The wall clock of a process is stepped, and put right again.
    ClockStep,
    /// The wire between a process and the server is cut.
    WireCut,
    /// It stays, and nothing passes, for longer than others wait.
    WireSilent,
    /// It is slow.
    WireSlow,
    /// The schema is brought up to date while everything runs.
    Migrate,
    /// As in the other form.
    ClusterAway,
    Register,
    RegisterCut,
    Import,
    Receiver,
    /// All receivers answer 503 at once.
    Storm,
    ReceiverCut,
    /// A receiver moves: its name leads to another address soon after the old one has closed.
    NameMoved,
    /// A receiver is cut off, and its name leads nowhere for a while.
    NameGone,
    /// Two of these at once: the server is killed while a process stands still.
    Both,
}

/// Every kind, with how often it comes.
const SHARES: [(Kind, u64); 23] = [
    (Kind::KillDeliver, 14),
    (Kind::KillIngest, 10),
    (Kind::KillOperator, 3),
    (Kind::Terminate, 6),
    (Kind::StandStill, 5),
    (Kind::ServerCrash, 12),
    (Kind::ServerAway, 4),
    (Kind::DiskSlow, 4),
    (Kind::ClockStep, 6),
    (Kind::WireCut, 8),
    (Kind::WireSilent, 5),
    (Kind::WireSlow, 4),
    (Kind::Migrate, 4),
    (Kind::ClusterAway, 3),
    (Kind::Register, 4),
    (Kind::RegisterCut, 3),
    (Kind::Import, 4),
    (Kind::Receiver, 10),
    (Kind::Storm, 3),
    (Kind::ReceiverCut, 5),
    (Kind::NameMoved, 4),
    (Kind::NameGone, 4),
    (Kind::Both, 2),
];

/// Those that strike beside a longer one.
const BESIDE: [(Kind, u64); 5] =
    [(Kind::Import, 3), (Kind::RegisterCut, 2), (Kind::ReceiverCut, 2), (Kind::Receiver, 2), (Kind::ClusterAway, 1)];

/// Draws a kind that strikes while a longer one lasts.
pub fn draw_beside(chance: &mut Chance) -> Kind {
    chance.one_of(&BESIDE)
}

/// Draws a kind.
pub fn draw(chance: &mut Chance) -> Kind {
    chance.one_of(&SHARES)
}
