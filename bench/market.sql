-- What the hosts of hosts.sql have, and what their graphics processors cost. The words in braces are as there.
INSERT INTO locations (code, name, country, created_at, updated_at)
VALUES ('DE-1', 'a', 'DE', {now}, {now}), ('FI-1', 'b', 'FI', {now}, {now}), ('FR-1', 'c', 'FR', {now}, {now}),
    ('US-1', 'd', 'US', {now}, {now}), ('NL-1', 'e', 'NL', {now}, {now}), ('JP-1', 'f', 'JP', {now}, {now}),
    ('CA-1', 'g', 'CA', {now}, {now}), ('BR-1', 'h', 'BR', {now}, {now});

INSERT INTO storages (name, location_code, size_gb, used_gb)
WITH v AS (SELECT external_id, ((listing_rank - 4294967296) * 2654435761) % 4294967296 AS h FROM hosts)
SELECT external_id, CASE h % 8 WHEN 0 THEN 'DE-1' WHEN 1 THEN 'FI-1' WHEN 2 THEN 'FR-1' WHEN 3 THEN 'US-1'
    WHEN 4 THEN 'NL-1' WHEN 5 THEN 'JP-1' WHEN 6 THEN 'CA-1' ELSE 'BR-1' END, 2000 + (h / 5) % 8000, (h / 3) % 2000
FROM v;

INSERT INTO capacities (host_id, location_code, storage, driver, settings, address, addresses, first_port,
    last_port, pins_cpus, cpus, ram_mib, gpu_model, gpu_memory_mib, gpus, used_cpus, used_ram_mib, used_gpus,
    instances, unreachable_since, is_draining, benchmark, created_at, updated_at, down_seconds)
WITH v AS (
    SELECT id, external_id, ((listing_rank - 4294967296) * 2654435761) % 4294967296 AS h FROM hosts
), g AS (
    SELECT v.*, CASE (h / 7) % 4 WHEN 0 THEN 1 WHEN 1 THEN 2 WHEN 2 THEN 4 ELSE 8 END AS gpus FROM v
), u AS (
    SELECT g.*, CASE (h / 11) % 5 WHEN 0 THEN gpus ELSE (h / 17) % gpus END AS used FROM g
)
SELECT u.id, s.location_code, s.name, 'simulated', {json:'{}'}, '203.0.113.7', {json:'[]'}, 10000, 20000, {false},
    gpus * 16, gpus * 65536,
    CASE (h / 31) % 6 WHEN 0 THEN 'RTX 4090' WHEN 1 THEN 'RTX 3090' WHEN 2 THEN 'RTX 5090' WHEN 3 THEN 'A100'
        WHEN 4 THEN 'H100' ELSE 'RTX 3060 Ti' END,
    24576, gpus, used * 16, used * 65536, used, used, NULL, {false}, {json:'{}'}, {then}, {now}, (h / 13) % 2000000
FROM u JOIN storages s ON s.name = u.external_id;

INSERT INTO gpu_offers (host_id, is_listed, sells_containers, sells_machines, per_gpu_e8, spot_per_gpu_e8,
    per_gb_e8, min_hours, max_hours, cpu_model, disk_type, disk_read_mbps, disk_write_mbps, download_mbps,
    upload_mbps, cuda, driver_version, pcie_generation, pcie_width, pcie_gbps,
    tflops_e2, dlperf_e2, created_at, updated_at)
WITH v AS (SELECT id, ((listing_rank - 4294967296) * 2654435761) % 4294967296 AS h FROM hosts)
SELECT id, {true}, {true}, {false}, (20 + (h / 1009) % 100) * 1000000, NULL, 5000000, 1, 240, 'AMD EPYC 7763',
    'NVMe', 6000, 1000 + (h / 19) % 5000, 100 + (h / 23) % 9900, 100 + (h / 29) % 9900, '12.4',
    '550.54', 4, 16, 100, 1000 + (h / 37) % 9000, 500 + (h / 41) % 5000, {now}, {now}
FROM v;

INSERT INTO numbers (kind, id) SELECT 'gpu_offer', host_id FROM gpu_offers ORDER BY host_id;
