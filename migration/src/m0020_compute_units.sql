-- Hosts that are cut into compute units, and these. In the words of m0001.

-- What is cut, or was taken back, is no place for anything else.
ALTER TABLE capacities ADD COLUMN purpose {text} NOT NULL DEFAULT 'instances'
    CHECK (purpose IN ('instances', 'compute_units', 'nothing'));

-- `phase` is the truth; `status` and `is_settled` are derived from it at every write.
CREATE TABLE compute_hosts (
    id {uuid} PRIMARY KEY REFERENCES hosts (id),
    hostname {text} NOT NULL UNIQUE,
    address {text} NOT NULL,
    region {text} NOT NULL,
    zone {text} NOT NULL,
    cpu_ranges {json} NOT NULL,
    driver {text} NOT NULL,
    phase {json} NOT NULL,
    status {text} NOT NULL,
    is_settled {bool} NOT NULL,
    system {text},
    limits {text},
    is_prepared {bool} NOT NULL,
    per_cpu_hour_e8 {int} NOT NULL CHECK (per_cpu_hour_e8 >= 0),
    created_at {instant} NOT NULL,
    updated_at {instant} NOT NULL
){strict};

-- An instance has one unit at most, and a unit one instance. Every unit has a block of 100 ports, so that no two
-- of a host overlap and none passes the last port there is.
CREATE TABLE compute_units (
    id {uuid} PRIMARY KEY,
    host_id {uuid} NOT NULL REFERENCES compute_hosts (id),
    name {text} NOT NULL UNIQUE,
    cpu_range {text} NOT NULL,
    cpu_count {int} NOT NULL CHECK (cpu_count > 0),
    first_cpu {int} NOT NULL,
    first_port {int} NOT NULL CHECK (first_port BETWEEN 10000 AND 65400 AND first_port % 100 = 0),
    ram_mib {int} NOT NULL,
    state {text} NOT NULL CHECK (state IN ('planned', 'free', 'held', 'failed', 'leaving')),
    instance_id {uuid} UNIQUE REFERENCES instances (id),
    tags {json},
    reason {text},
    changed_at {instant} NOT NULL,
    CHECK ((state = 'held') = (instance_id IS NOT NULL)),
    UNIQUE (host_id, first_port)
){strict};
CREATE INDEX units_of_host ON compute_units (host_id, first_cpu);
CREATE INDEX free_units ON compute_units (cpu_count, host_id, first_cpu) WHERE state = 'free';

-- No two units of a host have the same CPU.
CREATE TABLE compute_unit_cpus (
    host_id {uuid} NOT NULL,
    cpu {int} NOT NULL,
    unit_id {uuid} NOT NULL REFERENCES compute_units (id) ON DELETE CASCADE,
    PRIMARY KEY (host_id, cpu)
){strict};
CREATE INDEX cpus_of_unit ON compute_unit_cpus (unit_id);

-- Hosts about which something is to be done: also units of theirs that are to be made whole.
CREATE VIEW compute_hosts_at_work AS
    SELECT id, (is_settled AND NOT (status = 'ready' AND EXISTS (
        SELECT 1 FROM compute_units WHERE host_id = compute_hosts.id AND state = 'planned'
    ))) AS is_settled FROM compute_hosts;
