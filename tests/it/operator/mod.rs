//! The operator alone against a real API server, with a clock that is turned by hand.

mod clock;
mod crowd;
mod definitions;
mod grants;
mod leader;
mod lifecycle;
mod lists;
mod record;
mod rights;
mod scale;
mod secrets;
mod steered;
mod unreadable;
mod watches;
mod workers;
