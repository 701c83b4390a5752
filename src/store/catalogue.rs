//! Which columns hold something of a person: the list that erasure works from, compared with the schema by a test.
