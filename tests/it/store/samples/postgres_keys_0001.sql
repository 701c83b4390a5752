INSERT INTO meta VALUES ('store', '0123456789abcdef0123456789abcdef');
INSERT INTO keyring (id, kind, scope, version, wrapped, made_at) VALUES (1, 'data', '', 1, '\x01', 1782900000000);
INSERT INTO person_key VALUES ('\x00112233445566778899aabbccddeeff', '\x02', 1, 1, 1782900000000, 1782900000000);
INSERT INTO identifier VALUES ('\xffeeddccbbaa99887766554433221100', 'PersonId', 1, 'borgerservice', 'Test', '\x00112233445566778899aabbccddeeff');
INSERT INTO claim VALUES ('\x00112233445566778899aabbccddeeff', 1, 1782900000000);
