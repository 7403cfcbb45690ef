-- Early ends and refunds, quotes, mandates, suppliers, outages, checkpoints, the audit log.
-- In the words of m0001; PostgreSQL's and SQLite's way to change what a table may hold is in
-- m0002_money.rs.

-- What a user owes since money that they had spent already was taken back.
ALTER TABLE wallets ADD COLUMN owed_e8 {int} NOT NULL DEFAULT 0 CHECK (owed_e8 >= 0);

-- `supplier_id`: whose machine it is, where it is not the operator's own.
ALTER TABLE hosts ADD COLUMN supplier_id {uuid} REFERENCES users (id);
ALTER TABLE hosts ADD COLUMN sla {json};

-- `amount_e8` stays all that was charged.
ALTER TABLE rentals ADD COLUMN refunded_e8 {int} NOT NULL DEFAULT 0
    CHECK (refunded_e8 >= 0 AND refunded_e8 <= amount_e8);
-- What the renter has paid and the supplier has not earned yet.
ALTER TABLE rentals ADD COLUMN escrow_e8 {int} NOT NULL DEFAULT 0 CHECK (escrow_e8 >= 0);
ALTER TABLE rentals ADD COLUMN earned_until {instant};
ALTER TABLE rentals ADD COLUMN earn_at {instant};
ALTER TABLE rentals ADD COLUMN ready_at {instant};
-- Not ready by then, it is refunded in full.
ALTER TABLE rentals ADD COLUMN ready_by {instant};
UPDATE rentals SET ready_at = started_at WHERE access <> 'pending';
UPDATE rentals SET ready_by = ends_at;
CREATE INDEX rentals_to_earn ON rentals (earn_at) WHERE earn_at IS NOT NULL;
CREATE INDEX rentals_not_ready ON rentals (ready_by) WHERE ready_at IS NULL
    AND (status IN ('active', 'hold') OR (status = 'expired' AND refunded_e8 < amount_e8));

CREATE TABLE suppliers (
    user_id {uuid} PRIMARY KEY REFERENCES users (id),
    commission_bp {int} NOT NULL CHECK (commission_bp BETWEEN 0 AND 10000),
    account_holder {text} NOT NULL,
    iban {text} NOT NULL,
    earned_e8 {int} NOT NULL CHECK (earned_e8 >= 0),
    -- Below zero after a credit for an outage whose rent was paid out before.
    payable_e8 {int} NOT NULL,
    created_at {instant} NOT NULL,
    updated_at {instant} NOT NULL,
    CHECK (payable_e8 <= earned_e8)
){strict};

-- Whose escrow it is: the supplier in the rental's terms.
ALTER TABLE rentals ADD COLUMN supplier_id {uuid} REFERENCES suppliers (user_id);
CREATE INDEX escrow_of_supplier ON rentals (supplier_id)
    WHERE supplier_id IS NOT NULL AND escrow_e8 > 0;

CREATE TABLE payout_runs (
    id {uuid} PRIMARY KEY,
    minimum_e8 {int} NOT NULL CHECK (minimum_e8 > 0),
    author_id {uuid} REFERENCES users (id),
    created_at {instant} NOT NULL
){strict};

CREATE TABLE payouts (
    id {uuid} PRIMARY KEY,
    run_id {uuid} NOT NULL REFERENCES payout_runs (id),
    supplier_id {uuid} NOT NULL REFERENCES suppliers (user_id),
    amount_e8 {int} NOT NULL CHECK (amount_e8 > 0),
    account_holder {text} NOT NULL,
    iban {text} NOT NULL,
    posting_id {uuid} NOT NULL REFERENCES postings (id),
    created_at {instant} NOT NULL,
    UNIQUE (run_id, supplier_id)
){strict};
CREATE INDEX payouts_of_supplier ON payouts (supplier_id, id);

CREATE TABLE quotes (
    id {uuid} PRIMARY KEY,
    user_id {uuid} NOT NULL REFERENCES users (id),
    host_id {uuid} NOT NULL REFERENCES hosts (id),
    pool_id {uuid},
    terms {json} NOT NULL,
    created_at {instant} NOT NULL,
    expires_at {instant} NOT NULL,
    signature {bytes} NOT NULL,
    rental_id {uuid} UNIQUE REFERENCES rentals (id)
){strict};

CREATE INDEX unused_quotes ON quotes (expires_at) WHERE rental_id IS NULL;

-- `look_at`: when the sweep has to look at it next; it may be too early, never too late.
CREATE TABLE mandates (
    rental_id {uuid} PRIMARY KEY REFERENCES rentals (id),
    payer_id {uuid} NOT NULL REFERENCES users (id),
    days {int} NOT NULL CHECK (days > 0),
    max_price_e8 {int} NOT NULL CHECK (max_price_e8 > 0),
    max_renewals {int} CHECK (max_renewals > 0),
    renewals {int} NOT NULL CHECK (max_renewals IS NULL OR renewals <= max_renewals),
    notice_days {int} NOT NULL CHECK (notice_days > 0),
    noticed_for {instant},
    refused_for {instant},
    look_at {instant},
    created_at {instant} NOT NULL
){strict};
CREATE INDEX mandates_to_look_at ON mandates (look_at) WHERE look_at IS NOT NULL;

CREATE TABLE outages (
    id {uuid} PRIMARY KEY,
    host_id {uuid} NOT NULL REFERENCES hosts (id),
    started_at {instant} NOT NULL,
    ended_at {instant} NOT NULL,
    evidence {text} NOT NULL,
    author_id {uuid} REFERENCES users (id),
    created_at {instant} NOT NULL,
    CHECK (ended_at > started_at)
){strict};
CREATE UNIQUE INDEX one_outage_at_a_time ON outages (host_id, started_at);

CREATE TABLE checkpoints (
    number {int} PRIMARY KEY,
    taken_at {instant} NOT NULL,
    totals {json} NOT NULL,
    previous_hash {bytes} NOT NULL,
    hash {bytes} NOT NULL
){strict};

-- The chains' heads that a checkpoint found moved since the one before.
CREATE TABLE checkpoint_heads (
    user_id {uuid} NOT NULL REFERENCES wallets (user_id),
    sequence {int} NOT NULL,
    hash {bytes} NOT NULL,
    checkpoint_number {int} NOT NULL REFERENCES checkpoints (number),
    PRIMARY KEY (user_id, sequence)
){strict};
CREATE INDEX heads_of_checkpoint ON checkpoint_heads (checkpoint_number, user_id);

-- Where the actor called from (an address, or `console`), what was before, and who is to be told.
ALTER TABLE events ADD COLUMN origin {text};
ALTER TABLE events ADD COLUMN before {json};
ALTER TABLE events ADD COLUMN recipient_id {uuid};
CREATE INDEX events_by_actor ON events (actor_id, id) WHERE actor_id IS NOT NULL;
CREATE INDEX events_about ON events (subject_id, id);
CREATE INDEX notifications ON events (recipient_id, id) WHERE recipient_id IS NOT NULL;
