INSERT INTO worker VALUES ('0a1b', 'deliver', 1782900000000);
INSERT INTO serving SELECT id, '0a1b' FROM consumer LIMIT 1;
INSERT INTO lease VALUES ('source/1', '0a1b', 3);
