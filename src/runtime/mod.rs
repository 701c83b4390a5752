//! What a process of ours needs besides its work: clock, effort, shutdown, telemetry, probes, leader election.

pub mod bell;
pub mod causes;
pub mod clock;
pub mod effort;
pub mod handed;
pub mod leader;
pub mod probes;
pub mod shutdown;
pub mod telemetry;
