//! Any feed with archives (RFC 5005 §4), as files that nginx serves: no numbers, no long polls, and no link to the oldest.

use std::time::Duration;

use everfeed::client::{Event, FollowError, Follower, Following, Live, Start};
use everfeed::event::Timestamp;

use super::{assert_quiet, next, rest};
use crate::support::files::Files;

/// How many entries an archive has.
const PER_ARCHIVE: u64 = 10;

/// Publishes the entries 0 to `end`: full archives, and what is left in the subscription document, newest first. That
/// shows so many archived entries again.
fn publish(files: &Files, end: u64, shown_again: u64) {
    publish_large(files, end, shown_again, 0);
}

/// The same, with so many blanks after each number.
fn publish_large(files: &Files, end: u64, shown_again: u64, blanks: usize) {
    let archives = end / PER_ARCHIVE;
    let entry = |number: u64| {
        format!(
            "<entry><id>tag:example.org,2026:{number}</id><title>{number}</title><updated>2026-01-01T{:02}:{:02}:00Z</updated>\
             <content type=\"text\">{number}{}</content></entry>",
            number / 60,
            number % 60,
            " ".repeat(blanks)
        )
    };
    let document = |links: String, entries: std::ops::Range<u64>| {
        let entries: String = entries.rev().map(entry).collect();
        format!(
            "<feed xmlns=\"http://www.w3.org/2005/Atom\" xmlns:fh=\"http://purl.org/syndication/history/1.0\">\
             <id>tag:example.org,2026:feed</id><title>All</title><updated>2026-01-01T00:00:00Z</updated>\
             <author><name>A</name></author>{links}{entries}</feed>"
        )
    };
    let before = |archive: u64| match archive {
        0 => String::new(),
        archive => format!("<link rel=\"prev-archive\" href=\"/{}.atom\"/>", archive - 1),
    };
    for archive in 0..archives {
        let links = format!("<fh:archive/><link rel=\"current\" href=\"feed.atom\"/>{}", before(archive));
        let first = archive * PER_ARCHIVE;
        files.put(&format!("{archive}.atom"), &document(links, first..first + PER_ARCHIVE));
    }
    let first = (archives * PER_ARCHIVE).saturating_sub(shown_again);
    files.put("feed.atom", &document(before(archives), first..end));
}

fn follow(files: &Files) -> Following {
    Follower::of(&files.url("feed.atom")).live(Live::Poll(Duration::from_millis(10)))
}

fn number(event: &Event) -> u64 {
    event.json().expect("a number is JSON as well")
}

async fn check_all(files: &Files, shown_again: u64) {
    publish(files, 47, shown_again);
    let mut follower = follow(files).start().expect("it starts");
    let mut expected = 0;
    // One by one, over the edge of an archive, and over several at once.
    for end in [47, 48, 50, 51, 59, 60, 61, 95, 100] {
        publish(files, end, shown_again);
        while expected < end {
            let event = next(&mut follower).await;
            assert_eq!(number(&event), expected);
            assert_eq!((event.place, &*event.id.to_string()), (None, &*format!("tag:example.org,2026:{expected}")));
            expected += 1;
        }
        assert_quiet(&mut follower).await;
    }
}

#[tokio::test]
async fn entries_come_once_and_in_order_from_the_archives_and_then_from_the_feed() {
    check_all(&Files::start(), 0).await;
}

#[tokio::test]
async fn entries_that_the_feed_shows_again_although_they_are_archived_come_once() {
    check_all(&Files::start(), 25).await;
}

#[tokio::test]
async fn following_goes_on_after_any_entry_wherever_it_has_gone_since() {
    let files = Files::start();
    publish(&files, 35, 4);
    let all = rest(follow(&files).ends_at_the_end().start().expect("it starts")).await;
    assert_eq!(all.iter().map(number).collect::<Vec<_>>(), (0..35).collect::<Vec<_>>());
    for end in [35, 52] {
        publish(&files, end, 4);
        for event in &all {
            let after = follow(&files).from(Start::After(event.checkpoint())).ends_at_the_end();
            let following = rest(after.start().expect("it starts")).await;
            let expected: Vec<u64> = (number(event) + 1..end).collect();
            assert_eq!(following.iter().map(number).collect::<Vec<_>>(), expected, "after {event:?}");
        }
    }
    let mut unknown = all[7].checkpoint();
    unknown.event = "tag:example.org,2026:never".into();
    let mut lost = follow(&files).from(Start::After(unknown)).start().expect("it starts");
    assert!(matches!(lost.next().await, Some(Err(FollowError::AnotherHistory { .. }))));
}

#[tokio::test]
async fn following_begins_with_a_time_or_with_what_happens_from_now_on() {
    let files = Files::start();
    publish(&files, 35, 4);
    for first in [0, 5, 10, 19, 20, 31, 34] {
        let time = Timestamp::from_micros((1_767_225_600 + first * 60) * 1_000_000);
        let since = follow(&files).from(Start::Since(time)).ends_at_the_end();
        let following = rest(since.start().expect("it starts")).await;
        assert_eq!(following.iter().map(number).collect::<Vec<_>>(), (first as u64..35).collect::<Vec<_>>());
    }
    let mut new = follow(&files).from(Start::New).start().expect("it starts");
    assert_quiet(&mut new).await;
    publish(&files, 42, 4);
    for expected in 35..42 {
        assert_eq!(number(&next(&mut new).await), expected);
    }
}

/// Each archive on its way holds its share of the room for what is read ahead. Those that had arrived waited for the room
/// of one more, and so never gave theirs back.
#[tokio::test]
async fn archives_that_are_larger_than_what_may_be_ahead_of_the_reader_are_read_all_the_same() {
    let files = Files::start();
    publish_large(&files, 125, 0, 250_000);
    let all = rest(follow(&files).ends_at_the_end().start().expect("it starts")).await;
    assert_eq!(all.iter().map(number).collect::<Vec<_>>(), (0..125).collect::<Vec<_>>());
}

/// The feed was empty then, which once passed for a history without the entry that was read last.
#[tokio::test]
async fn a_feed_of_which_all_was_archived_meanwhile_is_gone_on_with() {
    let files = Files::start();
    publish(&files, 9, 0);
    let mut follower = follow(&files).start().expect("it starts");
    let mut last = None;
    for expected in 0..9 {
        let event = next(&mut follower).await;
        assert_eq!(number(&event), expected);
        last = Some(event.checkpoint());
    }
    drop(follower);
    publish(&files, 10, 0);
    let start = Start::After(last.expect("nine were read"));
    let mut follower = follow(&files).from(start).start().expect("it starts");
    assert_eq!(number(&next(&mut follower).await), 9);
    assert_quiet(&mut follower).await;
}

/// An entry that is edited moves behind those that were published after it, which once were taken for read with it.
#[tokio::test]
async fn an_entry_that_was_edited_takes_no_others_with_it() {
    let files = Files::start();
    let publish = |entries: &[(u64, u64)]| {
        let entry = |(number, minute): &(u64, u64)| {
            format!(
                "<entry><id>tag:example.org,2026:{number}</id><title>{number}</title>\
                 <updated>2026-01-01T00:{minute:02}:00Z</updated><content type=\"text\">{number}</content></entry>"
            )
        };
        let entries: String = entries.iter().rev().map(entry).collect();
        let head = "<id>tag:example.org,2026:feed</id><title>All</title><updated>2026-01-01T00:00:00Z</updated>\
                    <author><name>A</name></author>";
        files.put("feed.atom", &format!("<feed xmlns=\"http://www.w3.org/2005/Atom\">{head}{entries}</feed>"));
    };
    publish(&[(0, 0), (1, 1)]);
    let mut follower = follow(&files).start().expect("it starts");
    assert_eq!(number(&next(&mut follower).await), 0);
    let last = next(&mut follower).await.checkpoint();
    drop(follower);
    publish(&[(0, 0), (2, 2), (3, 3), (1, 4)]);
    let mut follower = follow(&files).from(Start::After(last)).start().expect("it starts");
    assert_eq!(number(&next(&mut follower).await), 2);
    assert_eq!(number(&next(&mut follower).await), 3);
    assert_quiet(&mut follower).await;
}
