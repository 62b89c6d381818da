//! What is not as it was written is named, exactly, and nothing is made of it: in a backup, and at the server.

use std::path::Path;

use super::{backup, done, files, restore, told, verify, wait_until_sealed};
use crate::mirror::{serve, shop};
use crate::support::store::chunk_files;

/// Changes one bit in the middle of a file, or changes it back.
fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).expect("it is read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).expect("it is written");
}

#[test]
fn every_file_of_a_backup_that_is_altered_cut_or_missing_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let copy = dir.path().join("backup");
    let source = serve(&dir.path().join("data"));
    shop::open(&source);
    told(backup(&source, &copy));
    assert_eq!(source.stop(), Some(0));
    let named: Vec<String> = files(&copy).into_iter().filter(|name| name != "lock").collect();
    assert!(named.len() > 5, "{named:?}");
    let check = |name: &str, what: &str, number: usize| {
        let verified = verify(&copy);
        let said = format!("{}{}", verified.output, verified.errors);
        assert_eq!(verified.code, 10, "{name} {what}: {said}");
        let others = named.iter().filter(|other| *other != name && said.contains(&format!("{other}: ")));
        assert!(said.contains(&format!("{name}: ")) && others.count() == 0, "{name} {what}: {said}");
        let data = dir.path().join(format!("{number}"));
        let restored = restore(&copy, &data, &[]);
        assert!(restored.code == 10 && restored.errors.contains(name), "{name} {what}: {}", restored.errors);
    };
    for (number, name) in named.iter().enumerate() {
        let path = copy.join(name);
        let whole = std::fs::read(&path).expect("it is read");
        flip(&path);
        check(name, "is altered", 2 * number);
        std::fs::write(&path, &whole[..whole.len() - 1]).expect("it is written");
        check(name, "is cut short", 2 * number + 1);
        std::fs::remove_file(&path).expect("it is removed");
        if name == "manifest" {
            assert_eq!(verify(&copy).code, 2, "without it there is no backup");
        } else {
            check(name, "is missing", 1_000 + number);
        }
        std::fs::write(&path, &whole).expect("it is written");
    }
    done(verify(&copy));
}

#[test]
fn what_is_damaged_at_the_server_makes_no_backup_and_takes_nothing_from_the_one_before_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let [data, copy] = ["data", "backup"].map(|name| dir.path().join(name));
    let source = serve(&data);
    shop::open(&source);
    told(backup(&source, &copy));
    let before = std::fs::read(copy.join("manifest")).expect("it is read");
    let known = chunk_files(&data);
    for round in 1..4 {
        shop::go_on(&source, round);
    }
    wait_until_sealed(&source);
    let rotten = chunk_files(&data).into_iter().find(|file| !known.contains(file)).expect("a new one");
    let name = format!("chunks/{}", rotten.file_name().expect("a name").to_string_lossy());
    flip(&rotten);
    let run = backup(&source, &copy);
    assert!(run.code == 10 && run.errors.contains(&name), "{}", run.errors);
    assert!(std::fs::read(copy.join("manifest")).expect("it is read") == before);
    done(verify(&copy));

    flip(&rotten);
    let [_, files, ..] = told(backup(&source, &copy));
    assert_eq!(files, 1, "the others had been copied, and only this one was missing");
    done(verify(&copy));
}
