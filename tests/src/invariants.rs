//! The invariants, in SQL of the tests' own. Each query finds the rows that break one.

use sea_orm::{ConnectionTrait, Statement};

use crate::database::{TestDatabase, connect};

const BROKEN: &[(&str, &str)] = &[
    (
        "every posting sums to zero",
        "SELECT posting_id FROM entries GROUP BY posting_id HAVING SUM(amount_e8) <> 0",
    ),
    (
        "every posting has entries",
        "SELECT id FROM postings WHERE id NOT IN (SELECT posting_id FROM entries)",
    ),
    (
        "a cached balance is the sum of its entries",
        "SELECT w.user_id FROM wallets w LEFT JOIN entries e \
         ON e.account = 'wallet' AND e.owner_id = w.user_id \
         GROUP BY w.user_id, w.balance_e8 HAVING w.balance_e8 <> COALESCE(SUM(e.amount_e8), 0)",
    ),
    (
        "a posting's amount is what its owner's account gained",
        "SELECT p.id FROM postings p LEFT JOIN entries e \
         ON e.posting_id = p.id AND e.owner_id = p.user_id AND e.account = \
         CASE WHEN p.kind IN ('earning', 'payout') THEN 'payable' ELSE 'wallet' END \
         WHERE COALESCE(e.amount_e8, 0) <> p.amount_e8",
    ),
    (
        "a wallet is only moved in its owner's chain",
        "SELECT e.posting_id FROM entries e JOIN postings p ON p.id = e.posting_id \
         WHERE e.account IN ('wallet', 'receivable') AND e.owner_id <> p.user_id",
    ),
    (
        "what a user owes is what its entries lack",
        "SELECT w.user_id FROM wallets w LEFT JOIN entries e \
         ON e.account = 'receivable' AND e.owner_id = w.user_id \
         GROUP BY w.user_id, w.owed_e8 HAVING w.owed_e8 <> -COALESCE(SUM(e.amount_e8), 0)",
    ),
    (
        "a rental's escrow is the sum of its entries",
        "SELECT r.id FROM rentals r LEFT JOIN entries e \
         ON e.account = 'escrow' AND e.owner_id = r.id \
         GROUP BY r.id, r.escrow_e8 HAVING r.escrow_e8 <> COALESCE(SUM(e.amount_e8), 0)",
    ),
    (
        "what is payable to a supplier is the sum of its entries",
        "SELECT s.user_id FROM suppliers s LEFT JOIN entries e \
         ON e.account = 'payable' AND e.owner_id = s.user_id \
         GROUP BY s.user_id, s.payable_e8 HAVING s.payable_e8 <> COALESCE(SUM(e.amount_e8), 0)",
    ),
    (
        "what a supplier earned is the sum of the earnings",
        "SELECT s.user_id FROM suppliers s LEFT JOIN postings p \
         ON p.kind = 'earning' AND p.user_id = s.user_id \
         GROUP BY s.user_id, s.earned_e8 HAVING s.earned_e8 <> COALESCE(SUM(p.amount_e8), 0)",
    ),
    (
        "what a meter says is booked is what its postings booked",
        "SELECT m.id FROM meters m LEFT JOIN postings p ON p.meter_id = m.id \
         LEFT JOIN entries e ON e.posting_id = p.id AND e.account = 'revenue' \
         GROUP BY m.id, m.billed_e8 HAVING m.billed_e8 <> COALESCE(SUM(e.amount_e8), 0)",
    ),
    (
        "what is gone costs nothing",
        "SELECT m.id FROM meters m LEFT JOIN instances i ON i.id = m.metered_id \
         LEFT JOIN volumes v ON v.id = m.metered_id WHERE m.ended_at IS NULL \
         AND (i.id IS NULL OR NOT i.is_live) AND (v.id IS NULL OR NOT v.is_live)",
    ),
    (
        "what runs is metered, or paid in advance",
        "SELECT i.id FROM instances i WHERE i.status = 'running' AND NOT EXISTS \
         (SELECT 1 FROM compute_units u WHERE u.instance_id = i.id AND i.per_hour_e8 = 0) \
         AND NOT EXISTS \
         (SELECT 1 FROM meters m WHERE m.metered_id = i.id AND m.ended_at IS NULL) \
         AND NOT EXISTS (SELECT 1 FROM postings p WHERE p.paid_instance_id = i.id)",
    ),
    (
        "who has a unit has its CPUs, and nobody has them without it",
        "SELECT i.id FROM instances i JOIN compute_units u ON u.instance_id = i.id \
         WHERE NOT i.is_live OR u.cpu_count <> (SELECT count(*) FROM slots s \
         JOIN compute_unit_cpus c ON c.host_id = s.host_id AND s.name = CAST(c.cpu AS TEXT) \
         WHERE s.instance_id = i.id AND s.kind = 'cpu' AND c.unit_id = u.id) \
         UNION SELECT s.instance_id FROM slots s JOIN capacities h ON h.host_id = s.host_id \
         WHERE h.purpose = 'compute_units' AND NOT EXISTS \
         (SELECT 1 FROM compute_units u WHERE u.instance_id = s.instance_id)",
    ),
    (
        "a unit has as many CPUs as it counts",
        "SELECT u.id FROM compute_units u WHERE u.cpu_count <> \
         (SELECT count(*) FROM compute_unit_cpus c WHERE c.unit_id = u.id)",
    ),
    (
        "as many graphics processors are taken as are held",
        "SELECT c.host_id FROM capacities c WHERE c.used_gpus <> (SELECT count(*) FROM slots s \
         WHERE s.host_id = c.host_id AND s.kind = 'gpu')",
    ),
    (
        "only live instances hold something",
        "SELECT s.instance_id FROM slots s LEFT JOIN instances i ON i.id = s.instance_id \
         WHERE i.id IS NULL OR NOT i.is_live",
    ),
    (
        "the address of an instance is held for it",
        "SELECT i.id FROM instances i WHERE i.is_live AND i.claim ->> 'address' IS NOT NULL \
         AND NOT EXISTS (SELECT 1 FROM slots s WHERE s.instance_id = i.id AND s.kind = 'address' \
         AND s.name = i.claim ->> 'address')",
    ),
    (
        "nothing is taken of a host without instances",
        "SELECT c.host_id FROM capacities c WHERE c.used_cpus + c.used_ram_mib + c.instances > 0 \
         AND NOT EXISTS (SELECT 1 FROM instances i WHERE i.host_id = c.host_id AND i.is_live)",
    ),
    (
        "as much of a storage is taken as volumes and disks of instances have",
        "SELECT t.name FROM storages t WHERE t.used_gb <> (SELECT COALESCE(SUM(v.size_gb), 0) \
         FROM volumes v WHERE v.storage = t.name AND v.status NOT IN ('deleted', 'failed')) \
         + (SELECT COALESCE(SUM(CAST(i.terms -> 'shape' ->> 'disk_gb' AS bigint)), 0) \
         FROM instances i JOIN capacities c ON c.host_id = i.host_id \
         WHERE c.storage = t.name AND i.is_live)",
    ),
    ("no balance is negative", "SELECT user_id FROM wallets WHERE balance_e8 < 0"),
    (
        "a chain has as many postings as its head says",
        "SELECT w.user_id FROM wallets w LEFT JOIN postings p ON p.user_id = w.user_id \
         GROUP BY w.user_id, w.chain_sequence HAVING COUNT(p.id) <> w.chain_sequence",
    ),
    (
        "each posting carries the hash of the one before it",
        "SELECT p.id FROM postings p JOIN postings q \
         ON q.user_id = p.user_id AND q.sequence = p.sequence - 1 WHERE p.previous_hash <> q.hash",
    ),
    (
        "a chain's head is its newest posting",
        "SELECT w.user_id FROM wallets w JOIN postings p \
         ON p.user_id = w.user_id AND p.sequence = w.chain_sequence WHERE p.hash <> w.chain_hash",
    ),
    (
        "a live rental has its host, and the host says so",
        "SELECT r.id FROM rentals r JOIN hosts h ON h.id = r.host_id \
         WHERE r.status IN ('active', 'hold') \
         AND (h.rental_id IS NULL OR h.rental_id <> r.id OR h.is_cleaning)",
    ),
    (
        "a rented host has a live rental",
        "SELECT h.id FROM hosts h LEFT JOIN rentals r ON r.id = h.rental_id \
         WHERE h.rental_id IS NOT NULL AND NOT h.is_cleaning \
         AND (r.id IS NULL OR r.status NOT IN ('active', 'hold'))",
    ),
    (
        "a host is in at most one live rental",
        "SELECT host_id FROM rentals WHERE status IN ('active', 'hold') \
         GROUP BY host_id HAVING COUNT(*) > 1",
    ),
    (
        "a rental's amount is what was charged for it",
        "SELECT r.id FROM rentals r LEFT JOIN postings p ON p.rental_id = r.id \
         AND p.kind = 'charge' \
         GROUP BY r.id, r.amount_e8 HAVING r.amount_e8 <> -COALESCE(SUM(p.amount_e8), 0)",
    ),
    (
        "a rental's refunds are what was given back of it",
        "SELECT r.id FROM rentals r LEFT JOIN postings p ON p.rental_id = r.id \
         AND p.kind IN ('refund', 'credit') \
         GROUP BY r.id, r.refunded_e8 HAVING r.refunded_e8 <> COALESCE(SUM(p.amount_e8), 0)",
    ),
    (
        "nobody gets back more than they paid",
        "SELECT id FROM rentals WHERE refunded_e8 > amount_e8",
    ),
    (
        "nothing is payable that was not earned",
        "SELECT user_id FROM suppliers WHERE payable_e8 > earned_e8",
    ),
    (
        "nothing was charged without a rental, a meter or paid time",
        "SELECT p.id FROM postings p LEFT JOIN rentals r ON r.id = p.rental_id \
         WHERE p.kind = 'charge' AND r.id IS NULL AND p.meter_id IS NULL \
         AND p.paid_instance_id IS NULL",
    ),
    (
        "no more of paid time is given back than was paid",
        "SELECT user_id FROM postings WHERE paid_instance_id IS NOT NULL \
         GROUP BY user_id HAVING SUM(amount_e8) > 0",
    ),
    (
        "a payment's deposit is booked exactly if it was credited",
        "SELECT id FROM payments WHERE (posting_id IS NULL) <> (credited_e8 = 0)",
    ),
    (
        "what is left of payments is what came in for them",
        "SELECT w.user_id FROM wallets w WHERE (SELECT COALESCE(SUM(credited_e8 - reversed_e8), 0) \
         FROM payments WHERE user_id = w.user_id) <> (SELECT -COALESCE(SUM(e.amount_e8), 0) \
         FROM entries e JOIN postings p ON p.id = e.posting_id WHERE p.user_id = w.user_id \
         AND e.account = 'cash_clearing' AND p.reason LIKE 'Card payment%')",
    ),
    (
        "every idempotency record has its outcome",
        "SELECT idempotency_key FROM idempotency_records WHERE outcome IS NULL",
    ),
    (
        "every pool has its owner as an accepted member",
        "SELECT p.id FROM pools p LEFT JOIN pool_members m \
         ON m.pool_id = p.id AND m.user_id = p.owner_id AND m.role = 'owner' \
         AND m.state = 'accepted' WHERE m.id IS NULL",
    ),
    (
        "every rental that is not as it should be has a job",
        "SELECT r.id FROM rentals r WHERE (r.access = 'pending' \
         OR (r.access = 'granted' AND r.status <> 'active') \
         OR (r.access = 'suspended' AND r.status <> 'hold')) AND NOT EXISTS (SELECT 1 FROM jobs)",
    ),
];

/// Fails the test if a row breaks an invariant.
pub async fn check(database: &TestDatabase) {
    check_at(&database.url).await;
}

/// The same for a database that a process of its own made.
pub async fn check_at(url: &str) {
    let connection = connect(url).await;
    let backend = connection.get_database_backend();
    for (invariant, sql) in BROKEN {
        let rows = connection.query_all_raw(Statement::from_string(backend, *sql)).await;
        let rows = rows.unwrap_or_else(|error| panic!("{invariant}: {error}"));
        assert!(rows.is_empty(), "broken: {invariant} ({} rows)", rows.len());
    }
    let sum = Statement::from_string(
        backend,
        "SELECT CAST(COALESCE(SUM(amount_e8), 0) AS bigint) FROM entries",
    );
    let sum: i64 =
        connection.query_one_raw(sum).await.unwrap().unwrap().try_get_by_index(0).unwrap();
    assert_eq!(sum, 0, "the sum over all entries is not zero");
    connection.close().await.unwrap();
}
