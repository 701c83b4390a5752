//! The process's settings as plain data, one file per section.
