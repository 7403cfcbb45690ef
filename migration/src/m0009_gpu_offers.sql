-- Whole numbers for surfaces whose clients know nothing else. One sequence for all kinds, so that the
-- number of one thing is never that of another.
CREATE TABLE numbers (
    number {identity},
    kind {text} NOT NULL,
    id {uuid} NOT NULL
){strict};
CREATE UNIQUE INDEX one_number_per_thing ON numbers (kind, id);

-- What is sold of a host by the graphics processor.
CREATE TABLE gpu_offers (
    host_id {uuid} PRIMARY KEY REFERENCES capacities (host_id),
    is_listed {bool} NOT NULL,
    sells_containers {bool} NOT NULL,
    sells_machines {bool} NOT NULL,
    per_gpu_e8 {int} CHECK (per_gpu_e8 >= 0),
    spot_per_gpu_e8 {int} CHECK (spot_per_gpu_e8 >= 0),
    per_gb_e8 {int} NOT NULL CHECK (per_gb_e8 >= 0),
    min_hours {int} NOT NULL CHECK (min_hours >= 1),
    max_hours {int} NOT NULL CHECK (max_hours >= min_hours),
    cpu_model {text} NOT NULL,
    disk_type {text} NOT NULL,
    disk_read_mbps {int} NOT NULL,
    disk_write_mbps {int} NOT NULL,
    download_mbps {int} NOT NULL,
    upload_mbps {int} NOT NULL,
    cuda {text} NOT NULL,
    cuda_order {text} NOT NULL,
    driver_version {text} NOT NULL,
    driver_order {text} NOT NULL,
    pcie_generation {int} NOT NULL,
    pcie_width {int} NOT NULL,
    pcie_gbps {int} NOT NULL,
    tflops_e2 {int} NOT NULL,
    dlperf_e2 {int} NOT NULL,
    created_at {instant} NOT NULL,
    updated_at {instant} NOT NULL
){strict};
CREATE INDEX gpu_offers_by_price ON gpu_offers (per_gpu_e8);
CREATE INDEX capacities_by_gpu ON capacities (lower(gpu_model));

-- For how long a host's driver did not reach it, all past times together.
ALTER TABLE capacities ADD COLUMN down_seconds {int} NOT NULL DEFAULT 0 CHECK (down_seconds >= 0);

INSERT INTO numbers (kind, id) SELECT 'ssh_key', id FROM ssh_keys ORDER BY created_at, id;
