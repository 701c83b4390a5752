//! The registers: one folder per protocol, each turning a register's own form into the nouns of `domain`.

pub mod datafordeler;
