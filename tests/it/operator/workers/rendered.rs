//! A worker run as it was rendered.
