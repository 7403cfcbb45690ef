-- Deposits by card. In the words of m0001.

-- `success_url`, `cancel_url` and `save_method` belong to a checkout, `method_id` to a top-up.
-- `posting_id` is the deposit: there is one for each payment that was credited, and only one.
CREATE TABLE payments (
    id {uuid} PRIMARY KEY,
    user_id {uuid} NOT NULL REFERENCES wallets (user_id),
    purpose {text} NOT NULL CHECK (purpose IN ('checkout', 'top_up')),
    state {text} NOT NULL CHECK (state IN ('pending', 'paid', 'expired', 'failed')),
    failure {text},
    amount_e8 {int} NOT NULL CHECK (amount_e8 > 0),
    credited_e8 {int} NOT NULL CHECK (credited_e8 >= 0),
    reversed_e8 {int} NOT NULL CHECK (reversed_e8 >= 0 AND reversed_e8 <= credited_e8),
    posting_id {uuid} UNIQUE REFERENCES postings (id),
    success_url {text},
    cancel_url {text},
    save_method {bool} NOT NULL,
    customer_id {text},
    method_id {text},
    session_id {text} UNIQUE,
    checkout_url {text},
    provider_payment_id {text} UNIQUE,
    revision {int} NOT NULL,
    check_at {instant},
    created_at {instant} NOT NULL,
    expires_at {instant} NOT NULL,
    updated_at {instant} NOT NULL,
    CHECK ((posting_id IS NULL) = (credited_e8 = 0)),
    CHECK ((state = 'paid') = (posting_id IS NOT NULL)),
    CHECK ((purpose = 'checkout') = (success_url IS NOT NULL AND cancel_url IS NOT NULL)),
    CHECK (purpose = 'checkout' OR (customer_id IS NOT NULL AND method_id IS NOT NULL))
){strict};
CREATE INDEX payments_of_user ON payments (user_id, id);
CREATE INDEX payments_to_check ON payments (check_at) WHERE check_at IS NOT NULL;
CREATE UNIQUE INDEX one_top_up_at_a_time ON payments (user_id)
    WHERE purpose = 'top_up' AND state = 'pending';

-- Messages of the provider's that were heard; each counts once.
CREATE TABLE payment_events (
    id {text} PRIMARY KEY,
    created_at {instant} NOT NULL
){strict};

CREATE TABLE payment_methods (
    user_id {uuid} PRIMARY KEY REFERENCES wallets (user_id),
    customer_id {text} NOT NULL,
    method_id {text} NOT NULL,
    updated_at {instant} NOT NULL
){strict};

-- `stopped`: why no more is charged, until the user wishes again.
CREATE TABLE auto_top_ups (
    user_id {uuid} PRIMARY KEY REFERENCES payment_methods (user_id),
    threshold_e8 {int} NOT NULL CHECK (threshold_e8 > 0),
    amount_e8 {int} NOT NULL CHECK (amount_e8 > 0),
    monthly_max_e8 {int} NOT NULL CHECK (monthly_max_e8 >= amount_e8),
    stopped {text},
    created_at {instant} NOT NULL,
    updated_at {instant} NOT NULL
){strict};
