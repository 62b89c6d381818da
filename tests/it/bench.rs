//! `everfeed bench`: every benchmark runs against a real server and gives its figures. How large they are is not
//! looked at: a test that asserts time fails on somebody else's machine.

use std::process::Command;

use serde_json::Value;

/// Runs one benchmark, small, and returns its figures.
fn check_bench(arguments: &str) -> Value {
    let scratch = tempfile::tempdir().expect("a directory");
    let output = Command::new(env!("CARGO_BIN_EXE_everfeed"))
        .arg("bench")
        .args(arguments.split_whitespace())
        .arg("--json")
        .arg("--scratch")
        .arg(scratch.path())
        .output()
        .expect("the binary is there");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "bench {arguments}: {errors}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("it prints one object");
    assert_eq!(report["bench"].as_str(), arguments.split_whitespace().next());
    assert_eq!(report["version"], env!("CARGO_PKG_VERSION"));
    for key in ["cores", "memory_mb", "kernel", "cpu", "load_average"] {
        assert!(!report["machine"][key].is_null(), "the machine's {key}");
    }
    let left = std::fs::read_dir(scratch.path()).expect("it is there").count();
    assert_eq!(left, 0, "bench {arguments} leaves nothing behind");
    report["figures"].clone()
}

fn check_positive(figures: &Value, names: &[&str]) {
    for name in names {
        assert!(figures[name].as_f64().is_some_and(|figure| figure > 0.0), "{name}: {figures:#}");
    }
}

#[test]
fn append_measures_rates_and_latencies_in_a_closed_and_in_an_open_loop() {
    let latencies = ["latency_p50_ms", "latency_p90_ms", "latency_p99_ms", "latency_p99_9_ms", "latency_max_ms"];
    for arguments in [
        "append --connections 4 --seconds 1 --warmup 0.2",
        "append --connections 2 --seconds 1 --warmup 0 --batch 50 --streams 3 --server-ids",
        "append --connections 8 --seconds 1 --warmup 0 --rate 50",
    ] {
        let figures = check_bench(arguments);
        check_positive(&figures, &latencies);
        check_positive(&figures, &["events_per_second", "server_rss_mb", "disk_mb"]);
    }
}

#[test]
fn replay_is_measured_next_to_nginx_with_the_same_bytes() {
    let figures = check_bench("replay --connections 2 --seconds 0.3 --rounds 1 --pages 2 --count 20 --against-nginx");
    for encoding in ["identity", "gzip"] {
        for name in ["pages_per_second_median", "nginx_pages_per_second_median", "ratio_to_nginx_median"] {
            check_positive(&figures, &[&format!("{encoding}_{name}")]);
        }
    }
}

#[test]
fn a_consumer_sees_every_event_of_what_it_follows() {
    for (arguments, events) in [
        ("consume --events 230", 230),
        ("consume --events 205 --streams 10 --follow 2 --count 7", 41),
        ("consume --events 205 --streams 10 --all", 205),
        ("consume --events 205 --streams 10 --category", 205),
    ] {
        assert_eq!(check_bench(arguments)["events"], events, "{arguments}");
    }
}

#[test]
fn a_follower_counts_every_event_in_every_store_and_through_a_warm_cache_without_the_server() {
    for state in ["none", "memory", "sled", "sqlite"] {
        let figures = check_bench(&format!("follow --events 230 --state {state}"));
        assert_eq!(figures["events"], 230, "{state}");
        check_positive(&figures, &["events_per_second", "follower_rss_peak_mb", "server_rss_peak_mb"]);
    }
    let figures = check_bench("follow --events 230 --nginx");
    assert_eq!(figures["events"], 230);
    assert_eq!(
        (&figures["complete_pages_asked_for"], &figures["complete_pages_asked_of_the_server"]),
        (&2.into(), &0.into())
    );
    assert_eq!(check_bench("follow --events 205 --streams 10 --all")["events"], 205);
}

#[test]
fn a_mirror_takes_in_every_event() {
    let figures = check_bench("mirror --events 250 --streams 10");
    assert_eq!(figures["events"], 250);
    check_positive(&figures, &["events_per_second", "mirror_rss_peak_mb"]);
}

#[test]
fn polls_and_waits_are_measured() {
    let figures = check_bench("poll --connections 4 --seconds 1 --warmup 0 --rate 100 --news 10");
    check_positive(&figures, &["polls", "polls_with_news_and_warmup", "latency_p99_ms"]);
    let figures = check_bench("wait --waiters 50 --rounds 2 --settle 0.2");
    check_positive(&figures, &["last_woken_after_sending_ms_max", "server_rss_mb"]);
    let readers = "wait --sse --waiters 30 --slow 5 --dead 5 --rounds 2 --settle 0.2";
    let figures = check_bench(&format!("{readers} --append-seconds 1 --append-rate 50"));
    check_positive(&figures, &["last_woken_after_sending_ms_max", "server_rss_mb"]);
    check_positive(&figures, &["append_alone_p99_ms", "append_beside_waiters_p99_ms", "append_while_waking_p99_ms"]);
}

#[test]
fn histories_are_opened_appended_to_and_weighed() {
    let figures = check_bench("open --events 1000 --rounds 1");
    check_positive(&figures, &["clean_start_seconds_median", "start_after_kill_seconds_median"]);
    let figures = check_bench("history --events 1000 --rounds 1 --seconds 1 --connections 4");
    check_positive(&figures, &["ratio_full_to_empty_median"]);
    let figures = check_bench("derived --rounds 1 --seconds 1 --connections 4 --streams 7");
    check_positive(&figures, &["on_events_per_second_median", "ratio_on_to_off_median"]);
    let figures = check_bench("scavenge --events 1000 --streams 2 --rate 50 --connections 2 --seconds 0.5");
    check_positive(&figures, &["append_before_p99_ms", "append_meanwhile_p99_ms", "scavenge_seconds"]);
    let figures = check_bench("backup --events 1000 --streams 2 --rate 50 --connections 2 --seconds 1");
    check_positive(&figures, &["append_before_p99_ms", "append_meanwhile_p99_ms", "backup_mb_per_second"]);
    check_positive(&figures, &["next_backup_seconds", "restore_mb_per_second"]);
    let figures = check_bench("size --events 1000");
    assert_eq!(figures["events"], 1_000);
    check_positive(&figures, &["raw_json_mb", "disk_mb", "ratio_disk_to_raw_json"]);
}

#[test]
fn a_soak_tells_what_grew_from_its_second_window_to_its_last() {
    let figures =
        check_bench("soak --minutes 0.05 --window 1 --producers 2 --readers 1 --pollers 1 --listeners 3 --pages 2");
    assert_eq!(figures["windows"], 3);
    check_positive(&figures, &["appends_per_second_median", "pages_per_second_median", "polls_per_second_median"]);
    check_positive(&figures, &["server_rss_mb_last_to_second", "server_files_last_to_second", "append_p99_ms_max"]);
}

#[test]
fn pages_and_lists_are_measured_over_many_streams() {
    let figures = check_bench("ui --streams 300 --events 700 --rounds 3");
    for name in ["page_overview", "page_long_stream", "page_event", "list_recent", "search_typing", "search_nothing"] {
        check_positive(&figures, &[&format!("{name}_p50_ms"), &format!("{name}_p99_ms")]);
    }
    check_positive(&figures, &["start_seconds", "rss_after_start_mb"]);
}

#[test]
fn access_is_measured_next_to_a_server_that_is_open() {
    let figures =
        check_bench("access --users 3 --rules 5 --connections 4 --readers 2 --pages 2 --seconds 0.3 --rounds 1");
    for name in ["appends_per_second_ratio_median", "pages_per_second_ratio_median", "polls_per_second_ratio_median"] {
        check_positive(&figures, &[name]);
    }
}
