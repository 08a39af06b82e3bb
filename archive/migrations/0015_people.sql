-- Tokens that the owner gave to others. secret is the SHA-256 of the token in hex,
-- sites are separated by commas, and none means all; a share is a link to a dashboard.
CREATE TABLE IF NOT EXISTS access_tokens (
	id {{bytes 16}} NOT NULL,
	name {{bytes 100}} NOT NULL,
	secret {{bytes 64}} NOT NULL,
	role {{bytes 16}} NOT NULL,
	sites {{bytes 8192}} NOT NULL,
	share {{small}} NOT NULL,
	password {{bytes 200}} NOT NULL,
	made_at {{time}} NOT NULL,
	ends_at {{time}} NULL,
	revoked_at {{time}} NULL,
	PRIMARY KEY (id)
) {{table}};

-- Who changed what, and who came in. It is only added to.
CREATE TABLE IF NOT EXISTS audit_log (
	id {{serial}},
	at {{time}} NOT NULL,
	who {{bytes 120}} NOT NULL,
	what {{bytes 64}} NOT NULL,
	site {{bytes 255}} NOT NULL,
	detail {{bytes 2048}} NOT NULL
) {{rows}};
