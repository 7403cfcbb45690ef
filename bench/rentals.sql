-- :users users with a wallet of one deposit, and :old ended rentals with their postings, entries
-- and events. Users are numbered from 1, old rentals likewise. See hosts.sql for the braces.
INSERT INTO users (id, username, username_key, email, email_key, role, password_hash, created_at, updated_at)
WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < :users)
SELECT {id:n}, 'bench' || n, 'bench' || n, 'bench' || n || '@example.org', 'bench' || n || '@example.org',
    'user', 'none', {now}, {now} FROM n;

INSERT INTO wallets (user_id, balance_e8, chain_sequence, chain_hash)
WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < :users)
SELECT {id:n}, 1000000000000000 - CAST(700000000 AS bigint) * (:old / :users), 1 + :old / :users, {hash:n} FROM n;

INSERT INTO postings (id, user_id, kind, amount_e8, reason, metadata, created_at, sequence, previous_hash, hash)
WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < :users)
SELECT {id:n}, {id:n}, 'deposit', 1000000000000000, 'Benchmark', {json:'{}'}, {now}, 1, {hash:n}, {hash:n} FROM n;
INSERT INTO entries (posting_id, line, account, owner_id, amount_e8)
WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < :users)
SELECT {id:n}, 1, 'wallet', {id:n}, 1000000000000000 FROM n
UNION ALL SELECT {id:n}, 2, 'cash_clearing', NULL, -1000000000000000 FROM n;

INSERT INTO postings (id, user_id, kind, amount_e8, reason, rental_id, period_start, metadata, created_at,
    sequence, previous_hash, hash)
WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < :old - 1)
SELECT {id:n + 10000000}, {id:n % :users + 1}, 'charge', -700000000, 'Rent of bench for 7 days',
    {id:n + 10000000}, {then}, {json:'{"days":7}'}, {then}, n / :users + 2, {hash:n}, {hash:n} FROM n;
INSERT INTO entries (posting_id, line, account, owner_id, amount_e8)
WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < :old - 1)
SELECT {id:n + 10000000}, 1, 'wallet', {id:n % :users + 1}, -700000000 FROM n
UNION ALL SELECT {id:n + 10000000}, 2, 'revenue', NULL, 700000000 FROM n;
INSERT INTO rentals (id, host_id, renter_id, status, started_at, ends_at, hold_days, held_until, ended_at,
    amount_e8, terms, charge_id, access)
WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < :old - 1)
SELECT {id:n + 10000000}, {id:n % :count + 1}, {id:n % :users + 1}, 'expired', {then}, {then}, 7, {then},
    {then}, 700000000, {json:'{"days":7,"price":700000000,"hold_days":7}'}, {id:n + 10000000}, 'wiped' FROM n;
INSERT INTO events (kind, subject_kind, subject_id, actor_id, data, created_at)
WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < :old - 1)
SELECT 'rental.started', 'rental', {id:n + 10000000}, {id:n % :users + 1}, {json:'{}'}, {then} FROM n
UNION ALL
SELECT 'wallet.charged', 'wallet', {id:n % :users + 1}, {id:n % :users + 1}, {json:'{}'}, {then} FROM n;
