//! Over TLS and HTTP/2, as somebody.

use std::time::Duration;

use everfeed::client::{Credentials, FollowError, Follower};

use super::{append, next, number};
use crate::support::TestServer;
use crate::support::tls::{Tls, free_address};

#[tokio::test]
async fn a_feed_is_followed_over_tls_and_http2_by_somebody_the_server_knows() {
    let data = tempfile::tempdir().expect("a directory");
    let address = free_address();
    let home = format!("https://localhost:{}", address.port());
    let server = TestServer::start(data.path(), &["--public-url", &home]);
    append(&server, "numbers", 0..350);
    let nginx = Tls::start(address, server.address);
    let url = format!("{home}/streams/numbers");
    let following = || Follower::of(&url).trusting(nginx.authority());
    let reader = |password: &str| Credentials::Basic { user: "reader".into(), password: password.into() };
    let mut follower = following().credentials(reader("secret")).start().expect("it starts");
    for expected in 0..350 {
        assert_eq!(number(&next(&mut follower).await), expected);
    }
    append(&server, "numbers", 350..360);
    for expected in 350..360 {
        assert_eq!(number(&next(&mut follower).await), expected);
    }
    let requests = nginx.requests();
    assert!(!requests.is_empty() && requests.iter().all(|request| request == "HTTP/2.0 200"), "{requests:?}");

    let mut stranger = following().credentials(reader("guess")).start().expect("it starts");
    assert!(matches!(stranger.next().await, Some(Err(FollowError::Refused { status: 401, .. }))));
    // Nobody the system trusts vouches for the certificate.
    let wary = Follower::of(&url).credentials(reader("secret")).gives_up_after(Duration::ZERO);
    let mut wary = wary.start().expect("it starts");
    assert!(matches!(wary.next().await, Some(Err(FollowError::Unreachable { .. }))));
}

#[tokio::test]
async fn what_cannot_be_followed_is_said_before_anything_is_asked() {
    let refused = |url: &str| match Follower::of(url).start() {
        Err(FollowError::Usage(why)) => why,
        other => panic!("{url}: {other:?}"),
    };
    assert!(refused("streams/x").contains("streams/x"));
    assert!(refused("ftp://localhost/x").contains("neither http nor https"));
    assert!(refused("http://me:secret@localhost/x").contains("credentials"));
    let with = |credentials| Follower::of("http://localhost/x").credentials(credentials).start();
    let colon = Credentials::Basic { user: "a:b".into(), password: String::new() };
    assert!(matches!(with(colon), Err(FollowError::Usage(_))));
    assert!(matches!(with(Credentials::Bearer("a\nb".into())), Err(FollowError::Usage(_))));
    let untrustworthy = Follower::of("https://localhost/x").trusting("no certificate").start();
    assert!(matches!(untrustworthy, Err(FollowError::Usage(_))));
}
