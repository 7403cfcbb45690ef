-- How hosts are logged in to, and what was done there. In the words of m0001.

-- The operator's keys; private halves are sealed with a key from outside the database.
CREATE TABLE ssh_identities (
    name {text} PRIMARY KEY,
    public_key {text} NOT NULL,
    private_key {bytes} NOT NULL,
    created_at {instant} NOT NULL
){strict};

-- An identity may be named before it is made.
CREATE TABLE host_logins (
    host_id {uuid} PRIMARY KEY REFERENCES hosts (id),
    address {text} NOT NULL,
    port {int} NOT NULL CHECK (port BETWEEN 1 AND 65535),
    username {text} NOT NULL,
    identity {text} NOT NULL,
    host_key {text},
    shown_key {text},
    updated_at {instant} NOT NULL
){strict};
CREATE INDEX logins_with_identity ON host_logins (identity);

CREATE TABLE host_journal (
    id {uuid} PRIMARY KEY,
    host_id {uuid} NOT NULL REFERENCES hosts (id),
    subject {text},
    step {text} NOT NULL,
    begun_at {instant} NOT NULL,
    ended_at {instant},
    exit_status {int},
    output {text} NOT NULL
){strict};
CREATE INDEX journal_of_host ON host_journal (host_id, id);
CREATE INDEX journal_of_subject ON host_journal (subject, id) WHERE subject IS NOT NULL;
CREATE INDEX journal_by_age ON host_journal (begun_at);
