//! Settings, through the binary: which value wins, and what is said of one that is wrong.

use std::fs;

use crate::support::{Run, everfeed};

/// The line that `config show` prints for a setting at the top level.
fn shown(run: &Run, key: &str) -> String {
    assert_eq!(run.code, 0, "{}", run.errors);
    let line = run.output.lines().find(|line| line.starts_with(&format!("{key} = ")));
    line.unwrap_or_else(|| panic!("{key} is missing: {}", run.output)).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file_and_show_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("e.toml");
    fs::write(&file, "data = \"/from/file\"\npage_size = 7\nlisten = \"127.0.0.1:1\"\n").unwrap();
    let file = file.to_str().unwrap();
    let run = everfeed(&["config", "show", "--config", file, "--listen", "127.0.0.1:3"])
        .set("EVERFEED_LISTEN", "127.0.0.1:2")
        .set("EVERFEED_PAGE_SIZE", "8")
        .run();
    assert_eq!(shown(&run, "listen"), "listen = \"127.0.0.1:3\" # --listen");
    assert_eq!(shown(&run, "page_size"), "page_size = 8 # EVERFEED_PAGE_SIZE");
    assert_eq!(shown(&run, "data"), format!("data = \"/from/file\" # {file}:1"));
    assert_eq!(shown(&run, "read_only"), "read_only = false # default");
}

#[test]
fn the_file_may_be_named_in_the_environment() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("e.toml");
    fs::write(&file, "[limits]\nheaders = 99\n").unwrap();
    let run = everfeed(&["config", "show"]).set("EVERFEED_CONFIG", file.to_str().unwrap()).run();
    assert_eq!(shown(&run, "headers"), format!("headers = 99 # {}:2", file.display()));
    let run = everfeed(&["config", "check"]).set("EVERFEED_CONFIG", "/nowhere/e.toml").run();
    assert_eq!(run.code, 2);
    assert!(run.errors.contains("/nowhere/e.toml"), "{}", run.errors);
}

#[test]
fn what_show_prints_is_a_file_that_means_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("shown.toml");
    let first =
        everfeed(&["config", "show", "--set", "log.level=info,everfeed::store=debug", "--public-url", "http://a:1"])
            .set("EVERFEED_TRUSTED_PROXIES", "10.0.0.0/8, ::1")
            .run();
    fs::write(&file, &first.output).unwrap();
    let again = everfeed(&["config", "show", "--config", file.to_str().unwrap()]).run();
    let values = |run: &Run| {
        let line = |line: &str| line.split(" # ").next().map(str::trim).map(String::from);
        run.output.lines().filter_map(line).collect::<Vec<_>>()
    };
    assert!(values(&first).contains(&"trusted_proxies = [\"10.0.0.0/8\", \"::1\"]".to_string()), "{}", first.output);
    assert_eq!(values(&again), values(&first));
}

#[test]
fn every_mistake_is_told_with_its_place_and_the_nearest_known_name() {
    let dir = tempfile::tempdir().unwrap();
    let (file, data) = (dir.path().join("e.toml"), dir.path().join("data"));
    fs::write(&file, "pagesize = 7\n\n[timeouts]\nidle = \"a while\"\n").unwrap();
    let (file, data) = (file.to_str().unwrap(), data.to_str().unwrap());
    // Nobody begins with settings that are wrong: serve says the same as check, and touches nothing.
    for arguments in [&["config", "check", "--config", file][..], &["serve", "--config", file, "--data", data]] {
        let run = everfeed(arguments).set("EVERFEED_DTA", data).set("EVERFEED_LIMITS__HEADERS", "5").run();
        assert_eq!(run.code, 2);
        assert_eq!(run.output, "");
        let expected = [
            format!("everfeed: {file}:1: unknown setting pagesize; the nearest is page_size"),
            "everfeed: unknown variable EVERFEED_DTA; the nearest is EVERFEED_DATA".to_string(),
            "everfeed: EVERFEED_LIMITS__HEADERS: limits.headers: \"5\" is not a number from 16 to 1000".to_string(),
            format!(
                "everfeed: {file}:4: timeouts.idle: \"a while\" is not a duration such as \"500ms\", \"10s\" or \"2 min\""
            ),
        ];
        assert_eq!(run.errors.lines().collect::<Vec<_>>(), expected);
    }
    assert!(!fs::exists(data).unwrap());
}

#[test]
fn a_flag_that_sets_nothing_is_refused() {
    for (setting, said) in [
        ("limits.haed=1KiB", "the nearest is limits.head"),
        ("page_size", "NAME=VALUE is expected"),
        ("page_size=0", "a page holds 1 to 4096 events, not 0"),
    ] {
        let run = everfeed(&["config", "check", "--set", setting]).run();
        assert_eq!(run.code, 2);
        assert!(run.errors.contains(said), "{}", run.errors);
    }
}

#[test]
fn the_shipped_file_is_sound() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/config/everfeed.toml");
    let run = everfeed(&["config", "check", "--config", file]).run();
    assert_eq!((run.code, run.errors.as_str()), (0, ""));
}

#[test]
fn what_is_wrong_with_the_rules_is_told_with_its_line_and_ends_a_start() {
    let dir = tempfile::tempdir().unwrap();
    let rules = dir.path().join("access.toml");
    fs::write(&rules, "[[rule]]\nstreams = \"orders-*\"\nwriet = \"shop\"\n").unwrap();
    let named = format!("access.rules={}", rules.display());
    let expected = format!("{}:3: unknown key wriet; the nearest is write", rules.display());
    let run = everfeed(&["config", "check", "--set", &named]).run();
    assert_eq!(run.code, 2);
    assert!(run.errors.contains(&expected), "{}", run.errors);
    let data = dir.path().join("data");
    let serve = ["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()];
    let run = everfeed(&[&serve[..], &["--set", &named, "--set", "access.enabled=true"]].concat()).run();
    assert_eq!(run.code, 2);
    assert!(run.errors.contains("unknown key wriet"), "{}", run.errors);
    assert!(!data.exists(), "nothing was begun");

    fs::write(&rules, "[[rule]]\nstreams = \"orders-*\"\nwrite = \"shop\"\n").unwrap();
    assert_eq!(everfeed(&["config", "check", "--set", &named]).run().code, 0);
}
