//! Every filter of the marketplace, with what it includes and what it leaves out.

use tests::contract::example_server;
use tests::{TestApp, on_both_databases};

use crate::marketplace::{EVERYTHING, expect, list_four, offers};

on_both_databases! {
    async fn a_number_passes_when_it_is_equal_and_not_beyond(app: &TestApp) {
        list_four(app).await;
        expect(app, &[
            ("max_price_per_day=11.5", EVERYTHING),
            ("max_price_per_day=11.49", "alpha beta delta"),
            ("max_price_per_day=8", "alpha beta delta"),
            ("max_price_per_day=7.99", "beta delta"),
            ("max_price_per_day=3.33333333", "delta"),
            ("max_price_per_day=3.33333332", ""),
            ("max_price_per_day=0", ""),
            ("min_cpu_cores=64", "alpha"),
            ("min_cpu_cores=65", ""),
            ("min_cpu_cores=0", EVERYTHING),
            ("min_ram_gb=512", "beta"),
            ("min_ram_gb=513", ""),
            ("min_total_storage_gb=92000", "alpha delta"),
            ("min_total_storage_gb=92001", "delta"),
            ("min_total_storage_gb=2480", EVERYTHING),
            ("min_total_storage_gb=2481", "alpha beta delta"),
            ("min_bandwidth_mbps=2500", "alpha gamma"),
            ("min_bandwidth_mbps=2501", "alpha"),
            ("min_bandwidth_mbps=2147483647", ""),
        ]).await;
    }

    async fn unlimited_traffic_meets_every_minimum(app: &TestApp) {
        list_four(app).await;
        expect(app, &[
            ("min_traffic_tb=100", "alpha beta"),
            ("min_traffic_tb=101", "beta"),
            ("min_traffic_tb=2147483647", "beta"),
            ("unlimited_traffic_only=true", "beta"),
            ("unlimited_traffic_only=false", EVERYTHING),
        ]).await;
    }

    async fn a_score_is_compared_only_within_its_benchmark(app: &TestApp) {
        list_four(app).await;
        expect(app, &[
            ("min_cpu_score=48500", "alpha"),
            ("min_cpu_score=48501", ""),
            ("min_cpu_score=1", "alpha"),
            ("min_cpu_score=1&cpu_score_type=passmark", "alpha"),
            ("min_cpu_score=20000&cpu_score_type=geekbench_multi", "beta"),
            ("min_cpu_score=20001&cpu_score_type=geekbench_multi", ""),
            ("min_cpu_score=2000&cpu_score_type=geekbench_single", "delta"),
            ("cpu_score_type=geekbench_multi", EVERYTHING),
        ]).await;
    }

    async fn country_and_region_are_compared_whole_and_without_case(app: &TestApp) {
        list_four(app).await;
        expect(app, &[
            ("country=DE", "gamma beta"),
            ("country=de", "gamma beta"),
            ("country=D", ""),
            ("country=%25", ""),
            ("region=eu-central", "beta"),
            ("region=EU-West", "gamma delta"),
            ("region=eu", ""),
            ("country=fr&region=eu-west", "delta"),
            ("country=us&region=eu-west", ""),
        ]).await;
    }

    async fn every_wanted_duration_must_be_offered(app: &TestApp) {
        list_four(app).await;
        expect(app, &[
            ("available_durations=7", "alpha gamma delta"),
            ("available_durations=30", "alpha beta delta"),
            ("available_durations=7,30", "alpha delta"),
            ("available_durations=7&available_durations=30", "alpha delta"),
            ("available_durations[]=7&available_durations%5B%5D=30", "alpha delta"),
            ("available_durations=1,7", "gamma"),
            ("available_durations=3", ""),
            ("available_durations=", EVERYTHING),
        ]).await;
    }

    async fn one_of_the_wanted_kinds_of_memory_and_disk_is_enough(app: &TestApp) {
        list_four(app).await;
        expect(app, &[
            ("ram_types=DDR4", "beta"),
            ("ram_types=ECC%20DDR4,ECC+DDR5", "alpha gamma"),
            ("ram_types=DDR3&ram_types=ddr4", "beta delta"),
            ("ram_types[]=DDR5", ""),
            ("disk_types=HDD", "gamma beta delta"),
            ("disk_types=SSD,NVMe", "alpha gamma"),
            ("disk_types[]=nvme", "alpha"),
            ("disk_types=SSD&disk_types=HDD", "gamma beta delta"),
        ]).await;
    }

    async fn category_and_featured_filter(app: &TestApp) {
        list_four(app).await;
        expect(app, &[
            ("category=compute", "alpha"),
            ("category=memory", "beta"),
            ("category=gpu", "gamma"),
            ("category=storage", "delta"),
            ("category=general", ""),
            ("featured_only=true", "alpha gamma"),
            ("featured_only=false", EVERYTHING),
        ]).await;
    }

    async fn every_word_of_a_search_occurs_in_name_cpu_gpu_or_city(app: &TestApp) {
        list_four(app).await;
        expect(app, &[
            ("q=ALPHA", "alpha"),
            ("q=epyc", "alpha gamma beta"),
            ("q=4090", "gamma"),
            ("q=york", "alpha"),
            ("q=epyc+frank", "gamma"),
            ("q=frank%20epyc", "gamma"),
            ("q=epyc+paris", ""),
            ("q=NYC-DC1", ""),
            ("q=%20", EVERYTHING),
        ]).await;
    }

    // Seen failing without the escaping in `persistence::host::filter::contains`.
    async fn signs_of_the_query_language_are_searched_as_they_stand(app: &TestApp) {
        let names =
            ["50%off", "50xoff", "a_b", "axb", r"c\d", r"c\\d", "it's", "say\"hi\"", "[a-z]*"];
        app.list_servers(names.iter().map(|name| example_server(name)).collect()).await;
        let cases: &[(&str, &[&str])] = &[
            ("%25", &["50%off"]),
            ("50%25o", &["50%off"]),
            ("_", &["a_b"]),
            ("a_b", &["a_b"]),
            ("%5C", &[r"c\\d", r"c\d"]),
            ("c%5Cd", &[r"c\d"]),
            ("%5C%5C", &[r"c\\d"]),
            ("'", &["it's"]),
            ("%22", &["say\"hi\""]),
            ("[a-z]*", &["[a-z]*"]),
            ("'%20OR%201=1--", &[]),
        ];
        for (q, expected) in cases {
            let offers = offers(app, &format!("q={q}")).await;
            let mut found: Vec<_> = offers.iter().map(|o| o["name"].as_str().unwrap()).collect();
            found.sort_unstable();
            assert_eq!(found, *expected, "{q}");
        }
    }

    async fn filters_combine_and_unknown_parameters_do_nothing(app: &TestApp) {
        list_four(app).await;
        expect(app, &[
            ("min_ram_gb=64&disk_types=HDD", "gamma beta"),
            ("min_ram_gb=64&disk_types=HDD&max_price_per_day=5", "beta"),
            ("min_ram_gb=64&disk_types=HDD&max_price_per_day=5&featured_only=true", ""),
            ("country=de&min_traffic_tb=20&available_durations=7&q=rtx&category=gpu", "gamma"),
            ("colour=red&min_ram=9999&page=7&available_durations[0]=3", EVERYTHING),
            ("min_ram_gb=9999&min_ram_gb=512", "beta"),
        ]).await;
    }
}
