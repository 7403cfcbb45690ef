CREATE TABLE client_credentials (
    id {uuid} PRIMARY KEY,
    pool_id {uuid} NOT NULL REFERENCES pools (id) ON DELETE CASCADE,
    author_id {uuid} NOT NULL REFERENCES users (id),
    secret_hash {bytes} NOT NULL,
    alias {text} NOT NULL,
    created_at {instant} NOT NULL,
    last_used_at {instant},
    last_used_ip {text}
){strict};
CREATE INDEX client_credentials_of_pool ON client_credentials (pool_id, id);

-- How many requests of a pool came in the present window, refused ones among them. `endpoint` is a digest of method and
-- path; that of all of them together is empty. A row may be lost or deleted: it only counts a minute.
CREATE TABLE request_counts (
    pool_id {uuid} NOT NULL,
    endpoint {bytes} NOT NULL,
    since {instant} NOT NULL,
    requests {int} NOT NULL,
    PRIMARY KEY (pool_id, endpoint)
){strict};
CREATE INDEX old_request_counts ON request_counts (since);
