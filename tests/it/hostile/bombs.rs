//! A few bytes that stand for hundreds of megabytes.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};

use super::{Attacked, TEXT};
use crate::support::check;

const MEGABYTES: usize = 300;

fn zeros(mut encoder: impl Write) {
    let megabyte = vec![0; 1_000_000];
    for _ in 0..MEGABYTES {
        encoder.write_all(&megabyte).expect("memory takes every write");
    }
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).and_then(|()| encoder.finish()).expect("memory takes every write")
}

#[test]
fn bombs_do_not_go_off() {
    let attacked = Attacked::new(&[]);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    zeros(&mut encoder);
    let by_gzip = encoder.finish().expect("memory");
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("an encoder");
    zeros(&mut encoder);
    let by_zstd = encoder.finish().expect("memory");
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(b"x").expect("memory");
    let by_deflate = encoder.finish().expect("memory");
    let nested = gzip(&gzip(&by_gzip));
    // A frame whose head asks for a window of 2 GiB.
    let wide_window = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00].to_vec();
    // A member whose head holds a name without end.
    let long_name = [&[0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3][..], &[b'n'; 1 << 20]].concat();
    let cases: [(&str, &[u8], &[u16]); 10] = [
        ("gzip", &by_gzip, &[413]),
        ("zstd", &by_zstd, &[413]),
        ("gzip", &by_gzip[..by_gzip.len() / 2], &[413]),
        ("gzip, gzip", &nested, &[415]),
        ("gzip", &gzip(b"x")[..10], &[400]),
        ("deflate", &by_deflate, &[415]),
        ("zstd", &wide_window, &[400]),
        ("gzip", &long_name, &[400]),
        ("zstd", &by_gzip, &[400]),
        ("br", &by_zstd, &[415]),
    ];
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for (coding, body, statuses) in &cases {
                    let reply = attacked.server.post("/streams/bomb", &[TEXT, ("Content-Encoding", coding)], body);
                    check(&reply, coding);
                    assert!(statuses.contains(&reply.status), "{coding}: {} {}", reply.status, reply.text());
                }
            });
        }
    });
    attacked.check_unharmed(32);
    // One layer is taken off, and what is in it is data.
    let inner = gzip(b"x");
    let reply = attacked.server.post("/streams/once", &[TEXT, ("Content-Encoding", "gzip")], &gzip(&inner));
    assert_eq!(reply.status, 201);
    assert_eq!(attacked.server.get("/streams/once/0/data", &[]).body, inner);
    attacked.check_unharmed_with(2, 32);
}
