-- What instances are made of and cost, and what pools keep for them. In the words of m0001.

CREATE TABLE locations (
    code {text} PRIMARY KEY,
    name {text} NOT NULL,
    country {text} NOT NULL,
    created_at {instant} NOT NULL,
    updated_at {instant} NOT NULL
){strict};

-- `shape` and `pricing` are the truth; the columns from `price_per_hour_e8` on are derived from them
-- at every write, for filters and the order. `gpu_model` is in lower case.
CREATE TABLE plans (
    id {uuid} PRIMARY KEY,
    code {text} NOT NULL UNIQUE,
    name {text} NOT NULL,
    description {text} NOT NULL,
    shape {json} NOT NULL,
    pricing {json} NOT NULL,
    is_listed {bool} NOT NULL,
    created_at {instant} NOT NULL,
    updated_at {instant} NOT NULL,
    price_per_hour_e8 {int} CHECK (price_per_hour_e8 > 0),
    cpus {int} NOT NULL,
    ram_mib {int} NOT NULL,
    gpu_model {text},
    gpu_count {int} NOT NULL
){strict};

CREATE TABLE plan_locations (
    plan_id {uuid} NOT NULL REFERENCES plans (id) ON DELETE CASCADE,
    location_code {text} NOT NULL REFERENCES locations (code),
    PRIMARY KEY (plan_id, location_code)
){strict};
CREATE INDEX plans_of_location ON plan_locations (location_code);

-- `id` is their order: two changes may come in one microsecond.
CREATE TABLE plan_prices (
    id {identity},
    plan_id {uuid} NOT NULL REFERENCES plans (id) ON DELETE CASCADE,
    changed_at {instant} NOT NULL,
    per_hour_e8 {int} CHECK (per_hour_e8 > 0),
    spot_per_hour_e8 {int} CHECK (spot_per_hour_e8 > 0)
){strict};
CREATE INDEX prices_of_plan ON plan_prices (plan_id, id);

CREATE TABLE images (
    id {uuid} PRIMARY KEY,
    code {text} NOT NULL UNIQUE,
    name {text} NOT NULL,
    category {text} NOT NULL,
    details {json} NOT NULL,
    reference {text} NOT NULL,
    username {text} NOT NULL,
    min_disk_gb {int} NOT NULL CHECK (min_disk_gb >= 0),
    is_default {bool} NOT NULL,
    is_listed {bool} NOT NULL,
    created_at {instant} NOT NULL,
    updated_at {instant} NOT NULL
){strict};

-- `digest` stands for the text, which is too long for an index.
CREATE TABLE ssh_keys (
    id {uuid} PRIMARY KEY,
    pool_id {uuid} NOT NULL REFERENCES pools (id) ON DELETE CASCADE,
    name {text} NOT NULL,
    public_key {text} NOT NULL,
    fingerprint {text} NOT NULL,
    digest {bytes} NOT NULL,
    author_id {uuid} REFERENCES users (id),
    created_at {instant} NOT NULL
){strict};
CREATE UNIQUE INDEX one_ssh_key_per_text_and_pool ON ssh_keys (pool_id, digest);
CREATE INDEX ssh_keys_of_pool ON ssh_keys (pool_id, id);

CREATE TABLE scripts (
    id {uuid} PRIMARY KEY,
    pool_id {uuid} NOT NULL REFERENCES pools (id) ON DELETE CASCADE,
    name {text} NOT NULL,
    content {text} NOT NULL,
    digest {bytes} NOT NULL,
    author_id {uuid} REFERENCES users (id),
    created_at {instant} NOT NULL
){strict};
CREATE UNIQUE INDEX one_script_per_content_and_pool ON scripts (pool_id, digest);
CREATE INDEX scripts_of_pool ON scripts (pool_id, id);
