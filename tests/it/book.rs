//! The book in `docs/`: what its first chapters say to type is typed, against a real server, and comes to what they show; all
//! links lead somewhere; and what lies in `config/` for running Everfeed is what systemd, HAProxy and Compose take.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::{PATIENCE, TestServer};

/// Where the server of the book listens.
const OF_THE_BOOK: &str = "localhost:2113";

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn chapters() -> Vec<(PathBuf, String)> {
    let files = std::fs::read_dir(project().join("docs/src")).expect("the book is there");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("it can be listed").path()).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a chapter is text");
        (path, text)
    };
    paths.into_iter().map(read).collect()
}

/// A command of a block marked as `console`, and what the book says that it prints.
struct Typed<'a> {
    command: &'a str,
    shown: Vec<&'a str>,
}

/// All commands of a chapter, in order.
fn typed(chapter: &str) -> Vec<Typed<'_>> {
    let mut commands: Vec<Typed<'_>> = Vec::new();
    let mut is_inside = false;
    for line in chapter.lines() {
        match (is_inside, line.strip_prefix("$ ")) {
            _ if line.starts_with("```") => is_inside = !is_inside && line == "```console",
            (true, Some(command)) => commands.push(Typed { command, shown: Vec::new() }),
            (true, None) => commands.last_mut().expect("a block begins with a command").shown.push(line),
            (false, _) => {}
        }
    }
    commands
}

/// Whether a line is as shown, where `…` stands for any text.
fn is_as_shown(line: &str, shown: &str) -> bool {
    let mut parts = shown.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        match (parts.peek(), rest.find(part)) {
            (None, _) => return rest.ends_with(part),
            (Some(_), Some(at)) => rest = &rest[at + part.len()..],
            (Some(_), None) => return false,
        }
    }
    true
}

/// Whether all that was printed is as shown, where `…` alone stands for any lines.
fn are_as_shown(lines: &[&str], shown: &[&str]) -> bool {
    match (lines, shown) {
        ([], []) => true,
        (_, ["…", below @ ..]) => (0..=lines.len()).any(|skipped| are_as_shown(&lines[skipped..], below)),
        ([line, lines @ ..], [shown, below @ ..]) => is_as_shown(line, shown) && are_as_shown(lines, below),
        _ => false,
    }
}

#[test]
fn what_is_shown_is_compared() {
    assert!(is_as_shown("a 17 b", "a … b") && is_as_shown("a", "a") && is_as_shown("a", "a…"));
    assert!(!is_as_shown("a 17 c", "a … b") && !is_as_shown("ab", "a") && !is_as_shown("ba", "a…"));
    assert!(are_as_shown(&["a", "b", "c"], &["a", "…"]) && are_as_shown(&["a", "b", "c"], &["…", "c"]));
    assert!(!are_as_shown(&["a", "b"], &["a"]) && !are_as_shown(&["a"], &["a", "b"]));
    assert!(!are_as_shown(&["a", "b", "c"], &["…", "b"]) && !are_as_shown(&["a"], &[]));
}

/// Types all that a chapter says to type, in a directory of its own.
fn check_chapter(name: &str) {
    let missing: Vec<&str> = ["curl", "jq", "sqlite3"].into_iter().filter(|program| !is_there(program)).collect();
    assert!(missing.is_empty(), "tests/run installs {missing:?}");
    let chapter = std::fs::read_to_string(project().join("docs/src").join(name)).expect("the chapter is there");
    let commands = typed(&chapter);
    assert!(5 < commands.len(), "there is something to be typed");

    let directory = tempfile::tempdir().expect("a directory");
    let programs = directory.path().join("programs");
    std::fs::create_dir(&programs).expect("it is new");
    symlink(env!("CARGO_BIN_EXE_everfeed"), programs.join("everfeed")).expect("it is new");
    let server = TestServer::start(&directory.path().join("data"), &[]);
    let own = server.address.to_string();
    for Typed { command, shown } in commands {
        let Output { status, stdout, stderr } = Command::new("bash")
            .args(["-c", &format!("PATH=$PWD/programs:$PATH; {}", command.replace(OF_THE_BOOK, &own))])
            .current_dir(directory.path())
            .env("EVERFEED_SERVER", format!("http://{own}"))
            .output()
            .expect("bash is there");
        let printed = String::from_utf8_lossy(&stdout).replace('\r', "").replace(&own, OF_THE_BOOK);
        let errors = String::from_utf8_lossy(&stderr);
        assert!(status.success(), "{name}: `{command}` ends with {status}: {printed}{errors}");
        let lines: Vec<&str> = printed.lines().collect();
        assert!(
            are_as_shown(&lines, &shown),
            "{name}: `{command}` prints\n{printed}{errors}\nand not\n{}",
            shown.join("\n")
        );
    }
}

fn is_there(program: &str) -> bool {
    let found = Command::new("bash").args(["-c", &format!("command -v {program}")]).output();
    found.expect("bash is there").status.success()
}

#[test]
fn the_first_five_minutes_are_as_they_say() {
    check_chapter("first_five_minutes.md");
}

#[test]
fn producing_is_as_it_says() {
    check_chapter("producing.md");
}

#[test]
fn consuming_is_as_it_says() {
    check_chapter("consuming.md");
}

/// What only looks as if it were tested would be worse than what is not.
#[test]
fn only_what_is_typed_by_a_test_is_marked_so() {
    let is_typed = ["consuming.md", "first_five_minutes.md", "producing.md"];
    for (path, text) in chapters() {
        let name = path.file_name().expect("a file").to_string_lossy();
        let mut is_inside = false;
        for line in text.lines().filter(|line| line.starts_with("```")) {
            if !is_inside {
                let known = if is_typed.contains(&&*name) { &["```console", "```text"][..] } else { &["```text"] };
                assert!(known.contains(&line), "{name}: {line}");
            }
            is_inside = !is_inside;
        }
        assert!(!is_inside, "{name}: every block ends");
    }
}

/// The addresses that a page links to.
fn links(text: &str) -> Vec<&str> {
    let rest = text.split("](").skip(1);
    rest.filter_map(|rest| rest.split_once(')')).map(|(address, _)| address).collect()
}

/// What mdBook and GitHub call a heading in an address.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let anchor = |heading: &str| {
        let kept = heading.chars().filter(|char| char.is_alphanumeric() || " -_".contains(*char));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    headings.map(anchor).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut pages = chapters();
    for name in ["README.md", "SECURITY.md", "benches/README.md"] {
        let path = project().join(name);
        pages.push((path.clone(), std::fs::read_to_string(path).expect("it is there")));
    }
    let mut followed = 0;
    for (path, text) in &pages {
        for link in links(text).into_iter().filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { path.clone() } else { path.parent().expect("a directory").join(file) };
            assert!(target.exists(), "{}: {link}", path.display());
            if !anchor.is_empty() {
                let target = std::fs::read_to_string(&target).expect("a page is text");
                assert!(anchors(&target).contains(anchor), "{}: {link}", path.display());
            }
            followed += 1;
        }
    }
    assert!(80 < followed, "{followed} links are fewer than there are");
}

#[test]
fn the_summary_has_every_chapter_once() {
    let summary = std::fs::read_to_string(project().join("docs/src/SUMMARY.md")).expect("it is there");
    let mut listed: Vec<String> = links(&summary).into_iter().map(str::to_string).collect();
    listed.sort();
    let name = |(path, _): (PathBuf, String)| path.file_name().expect("a file").to_string_lossy().into_owned();
    let there: Vec<String> = chapters().into_iter().map(name).filter(|name| name != "SUMMARY.md").collect();
    assert_eq!(listed, there);
}

/// Runs a program that says whether a file is right; where it is not installed, says that nothing was checked.
fn check_by(program: &str, arguments: &[&str], file: &Path) {
    if !is_there(program) {
        println!("SKIPPED: {program} is not installed, so {} was not checked", file.display());
        return;
    }
    let checked = Command::new(program).args(arguments).arg(file).output().expect("it can be run");
    let told = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{told}{}", String::from_utf8_lossy(&checked.stdout));
    // What systemd does not understand it tells, and passes over.
    assert!(!told.contains(&*file.to_string_lossy()), "{told}");
}

#[test]
fn systemd_takes_the_unit() {
    let unit = std::fs::read_to_string(project().join("config/everfeed.service")).expect("it is there");
    const INSTALLED: &str = "/usr/local/bin/everfeed";
    assert!(unit.contains(&format!("ExecStart={INSTALLED} serve")));
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("everfeed.service");
    // The program has to be there.
    let unit = unit.replace(&format!("={INSTALLED}"), concat!("=", env!("CARGO_BIN_EXE_everfeed")));
    std::fs::write(&file, unit).expect("it can be written");
    check_by("systemd-analyze", &["verify", "--man=no"], &file);
}

/// Without the watchdog only the two words are said, in this order.
#[test]
fn whoever_watches_over_the_server_hears_that_it_listens_and_that_it_stops() {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("notify");
    let supervisor = UnixDatagram::bind(&socket).expect("it is free");
    supervisor.set_read_timeout(Some(PATIENCE)).expect("a time");
    let hear = || {
        let mut word = [0; 64];
        let bytes = supervisor.recv(&mut word).expect("a word comes");
        String::from_utf8_lossy(&word[..bytes]).into_owned()
    };
    let mut command = TestServer::command(&directory.path().join("data"), &[]);
    command.env("NOTIFY_SOCKET", &socket).env_remove("WATCHDOG_USEC");
    let server = TestServer::spawn(command).unwrap_or_else(|log| panic!("the server did not start: {log:#?}"));
    assert_eq!(hear(), "READY=1");
    assert_eq!(server.get("/health/ready", &[]).status, 200, "what says that it is ready is");
    assert_eq!(server.stop(), Some(0));
    assert_eq!(hear(), "STOPPING=1");
}

#[test]
fn haproxy_takes_its_configuration() {
    check_by("haproxy", &["-c", "-f"], &project().join("config/haproxy.cfg"));
}

/// Every setting that the Compose file names is one, and what it mounts and builds is there.
#[test]
fn the_compose_file_is_of_one_piece() {
    let config = project().join("config");
    let read = r"
import json, sys
try:
    import yaml
except ImportError:
    sys.exit(77)
print(json.dumps(yaml.safe_load(open(sys.argv[1]))))
";
    let file = config.join("compose.yaml");
    let parsed = Command::new("python3").args(["-c", read]).arg(&file).output().expect("python3 is there");
    if parsed.status.code() == Some(77) {
        println!("SKIPPED: python3 has no module yaml, so {} was not checked", file.display());
        return;
    }
    assert!(parsed.status.success(), "{}", String::from_utf8_lossy(&parsed.stderr));
    let compose: serde_json::Value = serde_json::from_slice(&parsed.stdout).expect("it was made so");
    let services = compose["services"].as_object().expect("there are some");
    assert_eq!(services.keys().collect::<Vec<_>>(), ["everfeed", "nginx", "producer", "consumer"]);
    for (name, service) in services {
        assert!(service["image"].is_string(), "{name}");
        if let Some(build) = service["build"].as_str() {
            assert!(config.join(build).join("Dockerfile").is_file(), "{name}");
        }
        let needs = match &service["depends_on"] {
            serde_json::Value::Object(needs) => needs.keys().cloned().collect(),
            needs => serde_json::from_value::<Vec<String>>(needs.clone()).unwrap_or_default(),
        };
        assert!(needs.iter().all(|needed| services.contains_key(needed)), "{name}: {needs:?}");
        for volume in service["volumes"].as_array().into_iter().flatten() {
            let source = volume.as_str().expect("in short").split(':').next().expect("it has one");
            let is_there = if source.starts_with('.') {
                config.join(source).is_file()
            } else {
                compose["volumes"].as_object().expect("there are some").contains_key(source)
            };
            assert!(is_there, "{name}: {source}");
        }
    }
    let mut check = Command::new(env!("CARGO_BIN_EXE_everfeed"));
    check.args(["config", "check"]);
    for (variable, value) in services["everfeed"]["environment"].as_object().expect("it has settings") {
        check.env(variable, value.as_str().expect("settings are text, also false"));
    }
    let checked = check.output().expect("it can be run");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let nginx = std::fs::read_to_string(config.join("nginx.conf")).expect("it is there");
    assert!(nginx.contains("server 127.0.0.1:2113"), "what the Compose file replaces is there");
}
