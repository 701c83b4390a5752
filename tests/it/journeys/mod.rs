//! The journeys through the real program, a real API server, a register and a receiver.

mod away;
mod bad_input;
mod canary;
mod namespace;
mod outage;
mod proxied;
mod roles;
mod rotation;
mod scarcity;
mod suspend;
mod tenant;
mod webhook;
