//! The Grafana board and the alert rules in `config/`: what they ask for is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::start;

fn config(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(file)
}

/// Every name that a sample of the server can have: also of those that have none yet.
fn names() -> BTreeSet<String> {
    let (_data, server) = start();
    let text = server.get("/metrics", &[]).text().to_string();
    let families = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let mut names = BTreeSet::new();
    for (family, kind) in families {
        let suffixes: &[_] = match kind {
            "counter" => &["_total"],
            "histogram" => &["_bucket", "_sum", "_count"],
            "info" => &["_info"],
            "gauge" => &[""],
            other => panic!("{family} is a {other}"),
        };
        names.extend(suffixes.iter().map(|suffix| format!("{family}{suffix}")));
    }
    names
}

/// The names of metrics in a text of any kind.
fn named_in(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("everfeed_") || word.starts_with("process_")).collect()
}

#[test]
fn every_panel_and_rule_asks_for_metrics_that_there_are() {
    let there = names();
    for (file, at_least) in [("grafana.json", 30), ("alerts.yml", 12)] {
        let text = fs::read_to_string(config(file)).expect("it is there");
        let named = named_in(&text);
        assert!(named.len() >= at_least, "{file} names {named:?}");
        let missing: Vec<_> = named.iter().filter(|name| !there.contains(**name)).collect();
        assert!(missing.is_empty(), "{file} names {missing:?}, which nobody can find");
    }
}

#[test]
fn the_page_about_numbers_has_every_metric_and_no_other() {
    let (_data, server) = start();
    let text = server.get("/metrics", &[]).text().to_string();
    let there: BTreeSet<_> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    let page = include_str!("../../../src/numbers.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let rows = rows.filter(|(name, _)| name.starts_with("everfeed_") || name.starts_with("process_"));
    let told: BTreeSet<_> = rows.map(|(name, rest)| (name, rest.split(' ').next().unwrap_or_default())).collect();
    assert_eq!(told, there);
}

#[test]
fn the_board_has_a_question_in_every_panel_and_no_two_in_one_place() {
    let text = fs::read_to_string(config("grafana.json")).expect("it is there");
    let board: Value = serde_json::from_str(&text).expect("JSON");
    let panels = board["panels"].as_array().expect("panels");
    let (mut ids, mut places) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64()), "{panel}");
        let at = &panel["gridPos"];
        let edges = ["x", "y", "w", "h"].map(|edge| at[edge].as_u64().expect("a number"));
        let [x, y, width, height] = edges;
        assert!(x + width <= 24);
        for cell in (x..x + width).flat_map(|x| (y..y + height).map(move |y| (x, y))) {
            assert!(places.insert(cell), "{} lies over another", panel["title"]);
        }
        if panel["type"] != "row" {
            let targets = panel["targets"].as_array().expect("targets");
            let asks = |target: &Value| target["expr"].as_str().is_some_and(|expr| !named_in(expr).is_empty());
            assert!(!targets.is_empty() && targets.iter().all(asks), "{}", panel["title"]);
        }
    }
    assert!(panels.len() > 25);
}

#[test]
fn prometheus_takes_the_rules() {
    check_rules(&config("alerts.yml"));
}

#[test]
fn prometheus_understands_what_the_board_asks() {
    let text = fs::read_to_string(config("grafana.json")).expect("it is there");
    let board: Value = serde_json::from_str(&text).expect("JSON");
    let targets = board["panels"].as_array().expect("panels").iter().filter_map(|panel| panel["targets"].as_array());
    // What Grafana puts in for these is a time and a pattern.
    let asked = |target: &Value| {
        target["expr"].as_str().expect("a question").replace("$__rate_interval", "5m").replace("$instance", ".+")
    };
    let rules: Vec<_> = (0..)
        .zip(targets.flatten())
        .map(|(number, target)| json!({ "record": format!("board:{number}"), "expr": asked(target) }))
        .collect();
    let rules = json!({ "groups": [{ "name": "board", "rules": rules }] });
    let file = tempfile::Builder::new().suffix(".yml").tempfile().expect("a file");
    // All JSON is YAML.
    fs::write(file.path(), rules.to_string()).expect("written");
    check_rules(file.path());
}

#[track_caller]
fn check_rules(file: &Path) {
    let checked = Command::new("promtool").args(["check", "rules"]).arg(file).output();
    let checked = checked.expect("`tests/run` installs promtool, which comes with Prometheus");
    let said = String::from_utf8_lossy(&checked.stdout).into_owned() + &String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success() && said.contains("SUCCESS"), "{said}");
}
