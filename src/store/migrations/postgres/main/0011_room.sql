-- Room in each page for a person's next row: as long as nothing changes that has an index, none of them need be written to then.
ALTER TABLE person SET (fillfactor = 80);
