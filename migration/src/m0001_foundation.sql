-- Written once for both databases. The words in braces are types that each spells in its own way;
-- tables of SQLite are STRICT, so that it checks types as PostgreSQL does.
-- Money is in units of 10^-8 of the deployment's currency (columns …_e8). Ids are UUIDv8.

-- What was fixed by the first start and must be the same at every later one.
CREATE TABLE fixed_settings (
    name {text} PRIMARY KEY,
    value {text} NOT NULL
){strict};

CREATE TABLE users (
    id {uuid} PRIMARY KEY,
    username {text} NOT NULL,
    username_key {text} NOT NULL UNIQUE,
    email {text} NOT NULL,
    email_key {text} NOT NULL UNIQUE,
    alias {text},
    role {text} NOT NULL CHECK (role IN ('user', 'operator')),
    password_hash {text} NOT NULL,
    created_at {instant} NOT NULL,
    updated_at {instant} NOT NULL
){strict};

CREATE TABLE sessions (
    id {uuid} PRIMARY KEY,
    user_id {uuid} NOT NULL REFERENCES users (id),
    created_at {instant} NOT NULL,
    expires_at {instant} NOT NULL,
    ended_at {instant}
){strict};
CREATE INDEX sessions_of_user ON sessions (user_id) WHERE ended_at IS NULL;

CREATE TABLE refresh_tokens (
    token_hash {bytes} PRIMARY KEY,
    session_id {uuid} NOT NULL REFERENCES sessions (id),
    used_at {instant}
){strict};

CREATE TABLE api_tokens (
    id {uuid} PRIMARY KEY,
    user_id {uuid} NOT NULL REFERENCES users (id),
    token_hash {bytes} NOT NULL UNIQUE,
    alias {text} NOT NULL,
    prefix {text} NOT NULL,
    permissions {json} NOT NULL,
    ip_allow_list {json} NOT NULL,
    expires_at {instant},
    created_at {instant} NOT NULL,
    updated_at {instant} NOT NULL,
    last_used_at {instant},
    last_used_ip {text}
){strict};
CREATE INDEX api_tokens_of_user ON api_tokens (user_id);

CREATE TABLE pools (
    id {uuid} PRIMARY KEY,
    owner_id {uuid} NOT NULL REFERENCES users (id),
    name {text} NOT NULL,
    description {text},
    is_default {bool} NOT NULL,
    settings {json} NOT NULL,
    created_at {instant} NOT NULL,
    updated_at {instant} NOT NULL
){strict};
CREATE UNIQUE INDEX one_default_pool_per_user ON pools (owner_id) WHERE is_default;

CREATE TABLE pool_members (
    id {uuid} PRIMARY KEY,
    pool_id {uuid} NOT NULL REFERENCES pools (id) ON DELETE CASCADE,
    user_id {uuid} NOT NULL REFERENCES users (id),
    role {text} NOT NULL CHECK (role IN ('user', 'admin', 'owner')),
    state {text} NOT NULL CHECK (state IN ('pending', 'accepted', 'rejected', 'withdrawn', 'left')),
    invited_by {uuid} REFERENCES users (id),
    invited_at {instant} NOT NULL,
    expires_at {instant},
    joined_at {instant}
){strict};
CREATE UNIQUE INDEX one_place_per_user_and_pool ON pool_members (pool_id, user_id)
    WHERE state IN ('pending', 'accepted');
CREATE UNIQUE INDEX one_owner_per_pool ON pool_members (pool_id) WHERE role = 'owner';
CREATE INDEX pool_members_of_user ON pool_members (user_id, pool_id)
    WHERE state IN ('pending', 'accepted');

-- `specs` and `pricing` are the truth; the columns from `country` to `search_text` are derived from
-- them at every write, for filters and orders.
CREATE TABLE hosts (
    id {uuid} PRIMARY KEY,
    external_id {text} UNIQUE,
    specs {json} NOT NULL,
    pricing {json} NOT NULL,
    is_listed {bool} NOT NULL,
    rental_id {uuid},
    is_cleaning {bool} NOT NULL,
    created_at {instant} NOT NULL,
    updated_at {instant} NOT NULL,
    country {text} NOT NULL,
    region {text} NOT NULL,
    category {text} NOT NULL,
    is_featured {bool} NOT NULL,
    listing_rank {int} NOT NULL,
    price_per_day_e8 {int},
    durations {text} NOT NULL,
    cpu_cores {int} NOT NULL,
    cpu_score {int} NOT NULL,
    cpu_score_type {text},
    ram_gb {int} NOT NULL,
    ram_type {text} NOT NULL,
    storage_gb {int} NOT NULL,
    disk_types {int} NOT NULL,
    bandwidth_mbps {int} NOT NULL,
    traffic_tb {int} NOT NULL,
    search_text {text} NOT NULL
){strict};
-- Partial: for `rental_id IS NULL`, which most rows are, SQLite would expect one row of a whole one.
CREATE UNIQUE INDEX one_host_per_rental ON hosts (rental_id) WHERE rental_id IS NOT NULL;
-- Totals are counted, and a page's ids found, in this index alone; SQLite needs the predicate's
-- columns in it for that.
CREATE INDEX offers_by_filters ON hosts (country, category, price_per_day_e8, cpu_cores, ram_gb,
    storage_gb, bandwidth_mbps, traffic_tb, disk_types, ram_type, cpu_score, cpu_score_type, region,
    is_featured, is_listed, rental_id, listing_rank, id)
    WHERE is_listed AND rental_id IS NULL AND price_per_day_e8 IS NOT NULL;
CREATE INDEX offers_by_listing ON hosts (listing_rank, id)
    WHERE is_listed AND rental_id IS NULL AND price_per_day_e8 IS NOT NULL;
CREATE INDEX offers_by_price ON hosts (price_per_day_e8, id)
    WHERE is_listed AND rental_id IS NULL AND price_per_day_e8 IS NOT NULL;
CREATE INDEX offers_by_cpu_score ON hosts (cpu_score, id)
    WHERE is_listed AND rental_id IS NULL AND price_per_day_e8 IS NOT NULL;
CREATE INDEX offers_by_ram ON hosts (ram_gb, id)
    WHERE is_listed AND rental_id IS NULL AND price_per_day_e8 IS NOT NULL;
CREATE INDEX offers_by_storage ON hosts (storage_gb, id)
    WHERE is_listed AND rental_id IS NULL AND price_per_day_e8 IS NOT NULL;
CREATE INDEX offers_by_bandwidth ON hosts (bandwidth_mbps, id)
    WHERE is_listed AND rental_id IS NULL AND price_per_day_e8 IS NOT NULL;

CREATE TABLE wallets (
    user_id {uuid} PRIMARY KEY REFERENCES users (id),
    balance_e8 {int} NOT NULL CHECK (balance_e8 >= 0),
    chain_sequence {int} NOT NULL,
    chain_hash {bytes} NOT NULL
){strict};

CREATE TABLE postings (
    id {uuid} PRIMARY KEY,
    user_id {uuid} NOT NULL REFERENCES wallets (user_id),
    kind {text} NOT NULL CHECK (kind IN ('charge', 'refund', 'deposit', 'adjustment')),
    amount_e8 {int} NOT NULL,
    reason {text} NOT NULL,
    author_id {uuid} REFERENCES users (id),
    rental_id {uuid},
    period_start {instant},
    metadata {json} NOT NULL,
    created_at {instant} NOT NULL,
    sequence {int} NOT NULL,
    previous_hash {bytes} NOT NULL,
    hash {bytes} NOT NULL,
    UNIQUE (user_id, sequence)
){strict};
CREATE UNIQUE INDEX one_posting_per_period_and_kind ON postings (rental_id, period_start, kind)
    WHERE rental_id IS NOT NULL;

CREATE TABLE entries (
    posting_id {uuid} NOT NULL REFERENCES postings (id),
    line {int} NOT NULL,
    account {text} NOT NULL CHECK (account IN ('wallet', 'revenue', 'cash_clearing', 'write_off')),
    owner_id {uuid},
    amount_e8 {int} NOT NULL CHECK (amount_e8 <> 0),
    PRIMARY KEY (posting_id, line)
){strict};

CREATE TABLE rentals (
    id {uuid} PRIMARY KEY,
    host_id {uuid} NOT NULL REFERENCES hosts (id),
    renter_id {uuid} NOT NULL REFERENCES users (id),
    pool_id {uuid} REFERENCES pools (id) ON DELETE SET NULL,
    status {text} NOT NULL CHECK (status IN ('active', 'hold', 'expired', 'terminated')),
    started_at {instant} NOT NULL,
    ends_at {instant} NOT NULL,
    hold_days {int} NOT NULL CHECK (hold_days >= 0),
    held_until {instant} NOT NULL,
    ended_at {instant},
    amount_e8 {int} NOT NULL CHECK (amount_e8 >= 0),
    terms {json} NOT NULL,
    charge_id {uuid} NOT NULL REFERENCES postings (id),
    access {text} NOT NULL CHECK (access IN ('pending', 'granted', 'suspended', 'wiped')),
    CHECK ((ended_at IS NULL) = (status IN ('active', 'hold')))
){strict};
CREATE UNIQUE INDEX one_live_rental_per_host ON rentals (host_id) WHERE status IN ('active', 'hold');
CREATE INDEX rentals_of_renter ON rentals (renter_id, id);
CREATE INDEX rentals_of_pool ON rentals (pool_id, id) WHERE pool_id IS NOT NULL;
CREATE INDEX rentals_of_host ON rentals (host_id, id);
CREATE INDEX active_rentals_by_end ON rentals (ends_at) WHERE status = 'active';
CREATE INDEX held_rentals_by_end ON rentals (held_until) WHERE status = 'hold';
CREATE INDEX misaligned_rentals ON rentals (id) WHERE access = 'pending'
    OR (access = 'granted' AND status <> 'active') OR (access = 'suspended' AND status <> 'hold');

CREATE TABLE jobs (
    id {uuid} PRIMARY KEY,
    lane {text} NOT NULL,
    kind {json} NOT NULL,
    state {text} NOT NULL CHECK (state IN ('queued', 'running', 'dead')),
    is_wanted_again {bool} NOT NULL,
    run_at {instant} NOT NULL,
    leased_until {instant},
    attempts {int} NOT NULL,
    last_error {text},
    created_at {instant} NOT NULL
){strict};
CREATE UNIQUE INDEX one_live_job_per_lane ON jobs (lane) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_to_run ON jobs (run_at) WHERE state IN ('queued', 'running');

CREATE TABLE events (
    id {identity},
    kind {text} NOT NULL,
    subject_kind {text} NOT NULL,
    subject_id {uuid} NOT NULL,
    actor_id {uuid},
    data {json} NOT NULL,
    created_at {instant} NOT NULL
){strict};

CREATE TABLE idempotency_records (
    user_id {uuid} NOT NULL REFERENCES users (id),
    idempotency_key {text} NOT NULL,
    fingerprint {bytes} NOT NULL,
    outcome {json},
    created_at {instant} NOT NULL,
    PRIMARY KEY (user_id, idempotency_key)
){strict};
