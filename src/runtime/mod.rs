//! What a process of ours needs besides its work: clock, cores, effort, shutdown, telemetry, probes, leader election.

pub mod bell;
pub mod causes;
pub mod clock;
pub mod cores;
pub mod effort;
pub mod handed;
pub mod leader;
pub mod probes;
pub mod shutdown;
pub mod telemetry;
