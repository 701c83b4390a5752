INSERT INTO consumer_login VALUES ('acme_deliver', 1);
