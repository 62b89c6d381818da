//! The arrows between modules: which one may name which. The crate documentation draws the same map.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module, and the modules of this crate that it may name.
const ARROWS: &[(&str, &[&str])] = &[
    ("event", &[]),
    ("address", &["event"]),
    ("feed", &["address", "event"]),
    ("client", &["feed", "address", "event"]),
    ("meter", &[]),
    ("store", &["event", "meter"]),
    ("access", &["event"]),
    ("http", &["access", "feed", "address", "store", "meter", "event"]),
    ("replica", &["client", "store", "feed", "address", "event"]),
    ("server", &["http", "replica", "client", "store", "meter", "access", "config", "telemetry", "address", "event"]),
    ("cli", &["server", "replica", "client", "store", "access", "config", "telemetry", "address", "feed", "event"]),
    ("config", &["event", "address"]),
    ("telemetry", &["config"]),
];

/// What only one module may name.
const OWNERS: &[(&str, &str)] = &[
    ("sled::", "store/door.rs and client/state/"),
    ("quick_xml", "feed/"),
    // Whoever asks may say how fresh the answer has to be, and reads how long it is good for.
    ("CACHE_CONTROL", "http/cache_policy.rs and client/transport/"),
    ("Response::new", "http/reply.rs"),
    ("Response::builder", "http/reply.rs"),
    ("AppendError::", "store/ and http/problem/"),
];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("it is there") {
        let path = entry.expect("it is read").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Code without comments and without what is only compiled for tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("it is text");
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Whether this code names this module of the crate, or of its folder, and not one whose name only begins like it.
fn names(code: &str, parent: &str, module: &str) -> bool {
    let ends = |rest: &str| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_');
    code.split(parent).skip(1).any(|named| named.strip_prefix(module).is_some_and(ends))
}

#[test]
fn modules_name_only_what_the_map_allows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&root, &mut found);
    assert!(found.len() > 20, "the sources are there");
    let mut broken = Vec::new();
    for path in found {
        let inside = path.strip_prefix(&root).expect("it is inside").to_string_lossy().into_owned();
        let module = inside.split(['/', '.']).next().unwrap_or_default();
        let code = code(&path);
        for (owned, owner) in OWNERS {
            if code.contains(owned) && !owner.split(" and ").any(|owner| inside.starts_with(owner)) {
                broken.push(format!("{inside} names {owned}, which only {owner} may"));
            }
        }
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == module) else { continue };
        for (other, _) in ARROWS.iter().filter(|(other, _)| *other != module && !allowed.contains(other)) {
            if names(&code, "crate::", other) {
                broken.push(format!("{inside} names {other}: {module} may not"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Each can be understood with what it names; what a secured connection is had to do with how answers are built, and that
/// with connections.
#[test]
fn the_files_of_http_name_each_other_in_no_circle() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
    let mut found = Vec::new();
    sources(&folder, &mut found);
    let mut left: BTreeMap<String, String> = BTreeMap::new();
    for path in found.iter().filter(|path| path.parent() == Some(&folder)) {
        let name = path.file_stem().expect("a file").to_string_lossy().into_owned();
        left.insert(name, code(path));
    }
    // The door names them all, and the fuzzer's as well.
    assert!(left.remove("mod").is_some() && left.remove("fuzzing").is_some() && left.len() > 30, "{}", left.len());
    loop {
        let others: Vec<String> = left.keys().cloned().collect();
        left.retain(|name, code| others.iter().any(|other| other != name && names(code, "super::", other)));
        if left.len() == others.len() {
            break;
        }
    }
    assert!(left.is_empty(), "{:?}", left.keys());
}
