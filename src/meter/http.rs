//! What serving counts of itself. Labels are of fixed sets alone: none grows with streams, users or addresses.

use super::{Counter, Counters, Distribution, Gauge, Histogram};

/// Counted since the start.
#[derive(Debug)]
pub struct HttpMeters {
    answered: Vec<Answered>,
    /// Answers that said no more than that nothing has changed (304).
    pub not_modified: Counter,
    /// Bodies of answers, in bytes, as they were handed to connections.
    pub response_bytes: Counter,
    /// Refusals by their kind, as the `type` of a problem names it.
    pub problems: Counters,
    /// Documents that were found in the page cache.
    pub page_cache_hits: Counter,
    /// Documents that had to be made or encoded.
    pub page_cache_misses: Counter,
    /// Connections that are open.
    pub connections: Gauge,
    /// Connections that were accepted, with those that were one too many.
    pub accepted: Counter,
}

/// Requests for one kind of resource.
#[derive(Debug)]
struct Answered {
    by_class: [Counter; StatusClass::ALL.len()],
    micros: Histogram,
}

macro_rules! labels {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $label:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$each])* $variant,)* }

        impl $name {
            /// All of them, in the order of their places.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// As a label names it.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)* }
            }
        }
    };
}

labels! {
    /// What kind of thing a request is about, and in which way.
    Resource {
        /// Events to be appended, or settings to be written.
        Append = "append",
        /// A stream to be deleted, or an event to be erased.
        Delete = "delete",
        /// The head feed of a stream.
        Head = "head",
        /// A page of a stream.
        Page = "page",
        /// Either of these, waiting for what comes next.
        Wait = "wait",
        /// Events as they come.
        Listen = "listen",
        /// One event, or its data.
        Event = "event",
        /// Settings and descriptions of streams, and of the service.
        Description = "description",
        /// Pages for people.
        Ui = "ui",
        /// Users and what is done with them.
        Users = "users",
        /// What operators ask for.
        Admin = "admin",
        /// Whether the server is well, and what it is.
        Health = "health",
        /// What is nothing of these, or was refused before that was known.
        Other = "other",
    }
}

labels! {
    /// How an answer went, by its status.
    StatusClass {
        /// 1xx and 2xx.
        Success = "2xx",
        /// 3xx: also that nothing has changed.
        Redirection = "3xx",
        /// 4xx: whoever asks has to mend it.
        ClientError = "4xx",
        /// 5xx: whoever runs the server has to.
        ServerError = "5xx",
    }
}

impl StatusClass {
    /// Of a status.
    #[must_use]
    pub const fn of(status: u16) -> Self {
        match status {
            ..300 => Self::Success,
            300..400 => Self::Redirection,
            400..500 => Self::ClientError,
            500.. => Self::ServerError,
        }
    }
}

impl HttpMeters {
    /// All at 0. Refusals have these names.
    #[must_use]
    pub fn new(problems: Vec<&'static str>) -> Self {
        let answered = || Answered { by_class: Default::default(), micros: Histogram::new(Histogram::MICROS) };
        Self {
            answered: Resource::ALL.iter().map(|_| answered()).collect(),
            not_modified: Counter::default(),
            response_bytes: Counter::default(),
            problems: Counters::new(problems),
            page_cache_hits: Counter::default(),
            page_cache_misses: Counter::default(),
            connections: Gauge::default(),
            accepted: Counter::default(),
        }
    }

    /// A request was answered with this status, after so many microseconds.
    pub fn answered(&self, resource: Resource, status: u16, micros: u64) {
        let answered = &self.answered[resource as usize];
        answered.by_class[StatusClass::of(status) as usize].add_one();
        answered.micros.take(micros);
        if status == 304 {
            self.not_modified.add_one();
        }
    }

    /// How many requests for this were answered so.
    #[must_use]
    pub fn requests(&self, resource: Resource, class: StatusClass) -> u64 {
        self.answered[resource as usize].by_class[class as usize].get()
    }

    /// How many requests were answered so, whatever they were for.
    #[must_use]
    pub fn requests_of(&self, class: StatusClass) -> u64 {
        self.answered.iter().map(|answered| answered.by_class[class as usize].get()).sum()
    }

    /// How long answers for this took, up to their first byte, in microseconds.
    #[must_use]
    pub fn request_micros(&self, resource: Resource) -> Distribution {
        self.answered[resource as usize].micros.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_counts_once_by_what_it_was_for_and_how_it_went() {
        let meters = HttpMeters::new(Vec::new());
        for (resource, status) in [
            (Resource::Page, 200),
            (Resource::Page, 304),
            (Resource::Page, 404),
            (Resource::Append, 201),
            (Resource::Append, 503),
            (Resource::Other, 101),
        ] {
            meters.answered(resource, status, 70);
        }
        let page = |class| meters.requests(Resource::Page, class);
        assert_eq!(StatusClass::ALL.iter().map(|class| page(*class)).collect::<Vec<_>>(), [1, 1, 1, 0]);
        let all = |class| meters.requests_of(class);
        assert_eq!(StatusClass::ALL.iter().map(|class| all(*class)).collect::<Vec<_>>(), [3, 1, 1, 1]);
        assert_eq!(meters.not_modified.get(), 1);
        assert_eq!(meters.request_micros(Resource::Page).count(), 3);
    }

    #[test]
    fn every_label_has_its_place() {
        for (place, resource) in Resource::ALL.iter().enumerate() {
            assert_eq!(*resource as usize, place);
        }
        for (place, class) in StatusClass::ALL.iter().enumerate() {
            assert_eq!(*class as usize, place);
        }
    }
}
