//! The admin socket, by the commands that speak over it.

mod doctor;
mod persons;
mod plan;
mod sent;
mod who;
