//! What was erased is erased in a restored store too, and in no backup once no file of the server holds it.

use std::path::Path;

use super::{backup, done, restore, told, verify};
use crate::mirror::{serve, url};
use crate::support::store::check_sound;
use crate::support::{TestServer, everfeed, request, traces};
use crate::workload::Random;

const BYTES: (&str, &str) = ("Content-Type", "application/octet-stream");

/// What an event carries: it does not compress, so it lies in files as it is.
fn noise(seed: u64) -> Vec<u8> {
    Random::new(2 * seed).bytes(1_500)
}

fn lies_in(dir: &Path, seed: u64) -> bool {
    traces::lie_in(dir, &noise(seed)[700..764])
}

fn is_there(server: &TestServer, number: u64) -> bool {
    server.get(&format!("/streams/s/{number}/data"), &[]).status == 200
}

#[test]
fn what_was_erased_comes_back_from_no_backup() {
    let dir = tempfile::tempdir().expect("a directory");
    let [data, copy, there] = ["data", "backup", "restored"].map(|name| dir.path().join(name));
    let server = serve(&data);
    for number in 0..60 {
        let reply = server.post("/streams/s", &[BYTES], &noise(number));
        assert_eq!(reply.status, 201, "{}", reply.text());
    }
    told(backup(&server, &copy));
    assert!(lies_in(&copy, 3) && lies_in(&copy, 50), "one is in a chunk, the other in the tail");
    for number in [3, 50] {
        assert_eq!(request(server.address, "DELETE", &format!("/streams/s/{number}"), &[], b"").status, 200);
    }
    told(backup(&server, &copy));
    assert!(!lies_in(&copy, 50) && lies_in(&copy, 51), "the tail goes without it at once");
    done(verify(&copy));
    done(restore(&copy, &there, &[]));
    check_sound(&there);
    let restored = serve(&there);
    assert!([3, 50].into_iter().all(|number| !is_there(&restored, number)) && is_there(&restored, 4));
    restored.kill();

    let compacted = everfeed(&["compact", "--server", &url(&server)]).run();
    assert_eq!(compacted.code, 0, "{}", compacted.errors);
    told(backup(&server, &copy));
    assert!(!lies_in(&copy, 3) && lies_in(&copy, 4), "a file that held it was replaced");
    done(verify(&copy));
}
