//! Lists: persons whom a subscription has by name.
//!
//! In come numbers, from a command or a Secret ([`ask`]): each becomes a record of ours and a line that waits, with the number
//! sealed under the record's key. The source's own task meets the lines: it takes persons off ([`leave`]) and asks the register
//! for those to be put on ([`meet`], [`fetch`]), and commits them like any others, with `scope.entered` and `scope.left`
//! ([`record`]). What became of a line can be asked for a day ([`progress`]).
//!
//! Guaranteed: only the source's task changes who is on a list, so that no batch of its own is prepared for one list and
//! committed under another; a line that is withdrawn meanwhile is not met; a crash loses no line and meets none twice. The
//! feed comes first: between two of its readings there is one batch of lines at a time. A subscription whose list grows too
//! fast, or asks for too many numbers that the register does not know, waits for the next hour.

pub mod ask;
pub mod fetch;
pub mod leave;
pub mod meet;
pub mod progress;
pub mod record;

pub use ask::{Removal, Standing, add, remove, replace};
pub use meet::Meeting;
pub use progress::{Counts, Load, Progress, counts, load, page, progress, reference};
