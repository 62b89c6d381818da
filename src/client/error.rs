//! What stops a follower. Everything that may pass by itself it waits out, and says so in the log.

use super::Log;

/// Why following ended.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The URL or an option cannot be.
    #[error("{0}")]
    Usage(String),
    /// The server could not be reached, or answered with errors that pass, for longer than the follower was told to
    /// try.
    #[error("{url}: {why}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// The last of the failures.
        why: String,
    },
    /// The server refuses, and would again.
    #[error("{url}: {status}: {why}")]
    Refused {
        /// What was asked for.
        url: String,
        /// Of HTTP.
        status: u16,
        /// The problem's title and detail, or what there was in their place.
        why: String,
    },
    /// The feed was deleted for ever (410).
    #[error("{url} was deleted for ever: {why}")]
    Gone {
        /// The feed.
        url: String,
        /// What the server says of it.
        why: String,
    },
    /// Events that were still to be read are there no more.
    #[error("the events from {expected} to {} of {url} were truncated or deleted before they were read", found - 1)]
    Truncated {
        /// The feed.
        url: String,
        /// The place that came next.
        expected: u64,
        /// The first place that is there.
        found: u64,
    },
    /// Another log answers at this URL.
    #[error("{url} is another log than the one that was followed: {found} instead of {expected}")]
    AnotherLog {
        /// The feed.
        url: String,
        /// The log, or the id of the feed, that was followed.
        expected: String,
        /// What is there now.
        found: String,
    },
    /// The history is not the one that was followed: the event that was read last is not there, or is another. Going on
    /// would mix two histories.
    #[error("{url} has another history than the one that was followed: {why}{}", epoch(.log))]
    AnotherHistory {
        /// The feed.
        url: String,
        /// What was missing.
        why: String,
        /// Where the server is now, if it says so.
        log: Option<Log>,
    },
    /// What the server sent cannot be read, also after it was asked again past all caches.
    #[error("{url} cannot be read: {why}")]
    Unreadable {
        /// The document.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The on-disk cache or a checkpoint's file cannot be used.
    #[error("{0}")]
    Local(#[from] std::io::Error),
}

/// An epoch is worth a word where histories differ.
fn epoch(log: &Option<Log>) -> String {
    log.map_or_else(String::new, |log| format!(" (the log {} is in epoch {})", log.id, log.epoch))
}
