//! A register that speaks the modernised Datafordeler's CPR protocol, for citizens who do not exist.
//!
//! What comes in: OAuth client credentials, GraphQL queries, and happenings in the lives of its people. What goes
//! out: tokens, schemas, pages of notices behind an import status, persons with all their rows. Rows change at once
//! when something happens; the notice of it can be read only after the next [`Register::load`], so a person may be
//! newer than what was told. It is strict where the protocol is documented, and where it is not, [`Names`] chooses.
//!
//! | Step | Files |
//! | --- | --- |
//! | who there is, and their rows | `people`, `rows`, `book`, `cases`, `names`, `numbers`, `chance` |
//! | what happens to them | [`Happening`], `life/`, `random` |
//! | what is told of it | `imports` |
//! | asked over HTTP | `server`, `access`, `tokens`, `rules`, `events`, `lookup`, `shapes`, `answer`, `dialect`, `replies` |
//! | what can go wrong | [`Faults`], `distort` |
//! | at a terminal | `control`: POST and GET below `/simulator/` |

mod access;
mod answer;
mod book;
mod cases;
mod chance;
mod control;
mod cursor;
mod dialect;
mod distort;
mod events;
mod faults;
mod happening;
mod imports;
mod life;
mod lives;
mod lookup;
mod names;
mod numbers;
mod people;
mod random;
mod register;
mod replies;
mod rows;
mod rules;
mod schema;
mod server;
mod shapes;
mod tokens;
mod world;

#[cfg(test)]
mod tests;

pub use dialect::Names;
pub use faults::Fault;
pub use faults::Faults;
pub use faults::RetryAfter;
pub use faults::Service;
pub use happening::Error;
pub use happening::Happening;
pub use people::Citizen;
pub use people::Protection;
pub use people::Status;
pub use register::Options;
pub use register::Register;
pub use world::Answered;
pub use world::Request;
