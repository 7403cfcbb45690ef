-- What hosts have for instances, and what runs there. In the words of m0001. A pool may go before
-- what it had, which is then nobody's to see; so `pool_id` is no foreign key.

CREATE TABLE storages (
    name {text} PRIMARY KEY,
    location_code {text} NOT NULL REFERENCES locations (code),
    size_gb {int} NOT NULL,
    used_gb {int} NOT NULL CHECK (used_gb BETWEEN 0 AND size_gb)
){strict};
CREATE INDEX storages_of_location ON storages (location_code);

-- Nothing is taken that is not there, whatever the code believes.
CREATE TABLE capacities (
    host_id {uuid} PRIMARY KEY REFERENCES hosts (id),
    location_code {text} NOT NULL REFERENCES locations (code),
    storage {text} NOT NULL REFERENCES storages (name),
    driver {text} NOT NULL,
    settings {json} NOT NULL,
    address {text} NOT NULL,
    addresses {json} NOT NULL,
    first_port {int} NOT NULL,
    last_port {int} NOT NULL CHECK (last_port >= first_port),
    pins_cpus {bool} NOT NULL,
    cpus {int} NOT NULL,
    ram_mib {int} NOT NULL,
    gpu_model {text},
    gpu_memory_mib {int} NOT NULL,
    gpus {int} NOT NULL,
    used_cpus {int} NOT NULL CHECK (used_cpus BETWEEN 0 AND cpus),
    used_ram_mib {int} NOT NULL CHECK (used_ram_mib BETWEEN 0 AND ram_mib),
    used_gpus {int} NOT NULL CHECK (used_gpus BETWEEN 0 AND gpus),
    instances {int} NOT NULL CHECK (instances >= 0),
    unreachable_since {instant},
    is_draining {bool} NOT NULL,
    benchmark {json} NOT NULL,
    created_at {instant} NOT NULL,
    updated_at {instant} NOT NULL
){strict};
-- In the order in which places are looked for, so that the best host is found without the others.
CREATE INDEX capacities_by_best_fit ON capacities
    (location_code, (gpus - used_gpus), (cpus - used_cpus), (ram_mib - used_ram_mib), host_id)
    WHERE unreachable_since IS NULL AND NOT is_draining;
CREATE INDEX capacities_by_instances ON capacities (location_code, instances, host_id)
    WHERE unreachable_since IS NULL AND NOT is_draining;
CREATE INDEX capacities_of_storage ON capacities (storage);

-- What one instance has alone: the primary key keeps two from having it.
CREATE TABLE slots (
    host_id {uuid} NOT NULL REFERENCES capacities (host_id),
    kind {text} NOT NULL CHECK (kind IN ('gpu', 'cpu', 'port', 'address')),
    name {text} NOT NULL,
    instance_id {uuid} NOT NULL,
    PRIMARY KEY (host_id, kind, name)
){strict};
CREATE INDEX slots_of_instance ON slots (instance_id);

CREATE TABLE clusters (
    id {uuid} PRIMARY KEY,
    pool_id {uuid} NOT NULL,
    payer_id {uuid} NOT NULL REFERENCES users (id),
    author_id {uuid} NOT NULL REFERENCES users (id),
    hostname {text} NOT NULL,
    description {text} NOT NULL,
    plan {text} NOT NULL,
    location_code {text} NOT NULL REFERENCES locations (code),
    nodes {int} NOT NULL,
    volume_id {uuid},
    created_at {instant} NOT NULL,
    deleted_at {instant}
){strict};
CREATE INDEX clusters_of_pool ON clusters (pool_id, id);

-- `phase`, `wanted` and `terms` are the truth; `status`, `per_hour_e8`, `is_live`, `is_settled` and
-- `is_spot` are derived from them at every write.
CREATE TABLE instances (
    id {uuid} PRIMARY KEY,
    pool_id {uuid} NOT NULL,
    payer_id {uuid} NOT NULL REFERENCES users (id),
    author_id {uuid} NOT NULL REFERENCES users (id),
    cluster_id {uuid} REFERENCES clusters (id),
    location_code {text} NOT NULL REFERENCES locations (code),
    host_id {uuid} NOT NULL REFERENCES capacities (host_id),
    hostname {text} NOT NULL,
    description {text} NOT NULL,
    tags {json} NOT NULL,
    terms {json} NOT NULL,
    origin {json} NOT NULL,
    claim {json} NOT NULL,
    wanted {json} NOT NULL,
    restart {bool} NOT NULL,
    phase {json} NOT NULL,
    stage_until {instant},
    evict_at {instant},
    last_error {text},
    driver_fault {text},
    missing_since {instant},
    created_at {instant} NOT NULL,
    ready_at {instant},
    status {text} NOT NULL,
    per_hour_e8 {int} NOT NULL,
    is_live {bool} NOT NULL,
    is_settled {bool} NOT NULL,
    is_spot {bool} NOT NULL
){strict};
CREATE INDEX instances_of_pool ON instances (pool_id, id);
CREATE INDEX live_instances_of_pool ON instances (pool_id) WHERE is_live;
CREATE INDEX live_instances_of_payer ON instances (payer_id, id) WHERE is_live;
CREATE INDEX live_instances_of_host ON instances (host_id, id) WHERE is_live;
CREATE INDEX instances_of_cluster ON instances (cluster_id, id) WHERE cluster_id IS NOT NULL;
CREATE INDEX spot_instances ON instances (location_code, host_id) WHERE is_live AND is_spot;
CREATE INDEX instances_to_evict ON instances (evict_at) WHERE is_live AND evict_at IS NOT NULL;
CREATE INDEX unsettled_instances ON instances (id) WHERE NOT is_settled;

-- `state` is the truth; `status`, `is_live` and `is_settled` are derived at every write.
CREATE TABLE volumes (
    id {uuid} PRIMARY KEY,
    pool_id {uuid} NOT NULL,
    payer_id {uuid} NOT NULL REFERENCES users (id),
    author_id {uuid} NOT NULL REFERENCES users (id),
    location_code {text} NOT NULL REFERENCES locations (code),
    storage {text} NOT NULL REFERENCES storages (name),
    name {text} NOT NULL,
    kind {text} NOT NULL,
    size_gb {int} NOT NULL CHECK (size_gb > 0),
    made_gb {int} NOT NULL CHECK (made_gb BETWEEN 0 AND size_gb),
    price_per_gb_e8 {int} NOT NULL CHECK (price_per_gb_e8 >= 0),
    copy_of {uuid},
    is_shared {bool} NOT NULL,
    state {json} NOT NULL,
    instance_id {uuid} REFERENCES instances (id),
    mount_path {text},
    afterwards {text},
    on_eviction {text} NOT NULL,
    created_at {instant} NOT NULL,
    delete_at {instant},
    status {text} NOT NULL,
    is_live {bool} NOT NULL,
    is_settled {bool} NOT NULL,
    CHECK ((instance_id IS NULL) = (mount_path IS NULL)),
    CHECK ((instance_id IS NULL) = (afterwards IS NULL))
){strict};
CREATE INDEX volumes_of_pool ON volumes (pool_id, id);
CREATE INDEX live_volumes_of_payer ON volumes (payer_id, id) WHERE is_live;
CREATE INDEX volumes_of_instance ON volumes (instance_id) WHERE instance_id IS NOT NULL;
CREATE UNIQUE INDEX one_volume_per_path ON volumes (instance_id, mount_path)
    WHERE instance_id IS NOT NULL;
CREATE INDEX volumes_of_storage ON volumes (storage) WHERE status <> 'deleted';
CREATE INDEX volumes_to_copy ON volumes (copy_of) WHERE copy_of IS NOT NULL;
CREATE INDEX volumes_to_delete ON volumes (delete_at) WHERE delete_at IS NOT NULL;
CREATE INDEX unsettled_volumes ON volumes (id) WHERE NOT is_settled;

CREATE TABLE meters (
    id {uuid} PRIMARY KEY,
    payer_id {uuid} NOT NULL REFERENCES wallets (user_id),
    pool_id {uuid} NOT NULL,
    metered_kind {text} NOT NULL CHECK (metered_kind IN ('instance', 'volume')),
    metered_id {uuid} NOT NULL,
    name {text} NOT NULL,
    price_e8 {int} NOT NULL CHECK (price_e8 >= 0),
    per_seconds {int} NOT NULL CHECK (per_seconds > 0),
    started_at {instant} NOT NULL,
    ended_at {instant},
    billed_e8 {int} NOT NULL CHECK (billed_e8 >= 0),
    bills {int} NOT NULL,
    bill_at {instant},
    CHECK ((ended_at IS NULL) = (bill_at IS NOT NULL))
){strict};
-- One thing never costs twice at once.
CREATE UNIQUE INDEX one_running_meter ON meters (metered_kind, metered_id) WHERE ended_at IS NULL;
CREATE INDEX meters_of_thing ON meters (metered_id, id);
CREATE INDEX open_meters_of_payer ON meters (payer_id, id) WHERE bill_at IS NOT NULL;
CREATE INDEX meters_to_bill ON meters (bill_at) WHERE bill_at IS NOT NULL;

-- A reading of a meter is booked once.
ALTER TABLE postings ADD COLUMN meter_id {uuid} REFERENCES meters (id);
ALTER TABLE postings ADD COLUMN meter_bill {int};
CREATE UNIQUE INDEX one_posting_per_reading ON postings (meter_id, meter_bill)
    WHERE meter_id IS NOT NULL;

CREATE TABLE standings (
    user_id {uuid} PRIMARY KEY REFERENCES wallets (user_id),
    state {text} NOT NULL CHECK (state IN ('warned', 'stopped')),
    since {instant} NOT NULL,
    delete_at {instant},
    CHECK ((state = 'stopped') = (delete_at IS NOT NULL))
){strict};
CREATE INDEX stopped_standings ON standings (user_id) WHERE state = 'stopped';
CREATE INDEX standings_to_delete ON standings (delete_at) WHERE delete_at IS NOT NULL;

CREATE TABLE findings (
    id {uuid} PRIMARY KEY,
    host_id {uuid} NOT NULL REFERENCES capacities (host_id),
    kind {text} NOT NULL,
    subject {text} NOT NULL,
    per_hour_e8 {int} NOT NULL,
    is_repaired {bool} NOT NULL,
    found_at {instant} NOT NULL
){strict};
CREATE UNIQUE INDEX one_open_finding ON findings (host_id, kind, subject) WHERE NOT is_repaired;

-- Rises with every claim: a worker that lost its lease is told from the one that holds it now.
ALTER TABLE jobs ADD COLUMN claims {int} NOT NULL DEFAULT 0;
