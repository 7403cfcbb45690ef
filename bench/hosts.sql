-- :count hosts. The words in braces are spelt by bench/run for each database; {id:n} is the id whose
-- first 48 bits are n.
INSERT INTO hosts (id, external_id, specs, pricing, is_listed, is_cleaning, created_at, updated_at,
    country, region, category, is_featured, listing_rank, price_per_day_e8, durations, cpu_cores,
    cpu_score, cpu_score_type, ram_gb, ram_type, storage_gb, disk_types, bandwidth_mbps, traffic_tb,
    search_text)
WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < :count),
m AS (
    SELECT n, (n * 2654435761) % 4294967296 AS h FROM n
), v AS (
    SELECT n,
        CASE h % 6 WHEN 0 THEN 'DE' WHEN 1 THEN 'FI' WHEN 2 THEN 'FR' WHEN 3 THEN 'US'
            WHEN 4 THEN 'NL' ELSE 'GB' END AS country,
        CASE (h / 7) % 4 WHEN 0 THEN 8 WHEN 1 THEN 16 WHEN 2 THEN 32 ELSE 64 END AS cores,
        CASE (h / 31) % 5 WHEN 0 THEN 32 WHEN 1 THEN 64 WHEN 2 THEN 128 WHEN 3 THEN 256
            ELSE 512 END AS ram,
        CASE (h / 157) % 2 WHEN 0 THEN 'SSD' ELSE 'NVMe' END AS disk,
        CASE (h / 317) % 3 WHEN 0 THEN 1000 ELSE 10000 END AS bandwidth,
        100 + (h / 1009) % 900 AS cents
    FROM m
)
SELECT {id:n}, 'bench-' || n,
    {json:'{"name":"bench-' || n || '","location":{"country":"' || country || '","region":"eu-central",'
    || '"city":"Falkenstein","datacenter":"FSN1-DC8"},"model":"AX102","is_vm":false,"category":"general",'
    || '"featured":false,"popularity_rank":' || n || ',"setup_time_minutes":30,'
    || '"cpu":{"model":"AMD EPYC 7763","cores":' || cores || ',"threads":' || (cores * 2)
    || ',"score":{"value":45000,"kind":"passmark"}},"ram_gb":' || ram || ',"ram_type":"ECC DDR5",'
    || '"ram_speed_mhz":4800,"disks":[{"count":2,"capacity_gb":1920,"type":"' || disk
    || '","interface":"PCIe 4.0"}],"network":{"bandwidth_mbps":' || bandwidth
    || ',"traffic_tb":null,"ipv4_count":1,"ipv6_enabled":true},"gpu":null}'},
    {json:'{"7":{"price":' || (cents * 7000000) || ',"hold_days":7},"30":{"price":' || (cents * 30000000)
    || ',"hold_days":7}}'},
    {true}, {false}, {now}, {now}, country, 'eu-central', 'general', {false}, 4294967296 + n,
    cents * 1000000, ',7,30,', cores, 45000, 'passmark', ram, 'ECC DDR5', 3840,
    CASE disk WHEN 'SSD' THEN 2 ELSE 4 END, bandwidth, 9223372036854775807,
    'bench-' || n || ' amd epyc 7763  falkenstein'
FROM v;
