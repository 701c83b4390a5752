//! What a consumer may be told of a person under protection: one pure rule for every channel.
