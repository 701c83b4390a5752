//! Everything that needs more than one module: one binary, each test with files, ports and a namespace of its own.

mod published;
mod support;
