//! The admin socket, by the commands that speak over it.

mod doctor;
mod who;
