//! What stands around every page: the way back, and who is looking.

use crate::access::Caller;
use crate::address::{Address, Form, Look, Place, Ui};
use crate::event::{Number, Source};

use super::super::super::Served;
use super::words;

/// What a user's name may take of the page, in bytes.
const NAME_BYTES_MAX: usize = 100;

/// From a path of more parts a page finds no way up, and goes without its style.
const STEPS_MAX: usize = 64;

/// What stands around a page.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) root: Root,
    /// On a server that asks who is calling, and only where the page is not the same for everybody.
    pub(super) account: Option<Account>,
}

/// Who is looking.
#[derive(Debug)]
pub(super) struct Account {
    /// None of somebody unknown.
    pub(super) name: Option<String>,
    /// To log in or out.
    pub(super) href: String,
}

impl Frame {
    /// Of a page that is for this reader.
    pub(super) fn of(served: &Served, caller: &Caller, root: Root) -> Self {
        let account = (!served.access.is_open()).then(|| match caller.name() {
            Some(name) => {
                let leave = Address::Ui(Ui::LogOut { user: Some(name.to_string()) });
                Account { name: Some(words::line(name, NAME_BYTES_MAX)), href: root.to(&leave.path()) }
            }
            None => Account { name: None, href: root.to(&Address::Ui(Ui::LogIn).path()) },
        });
        Self { root, account }
    }

    /// Of a page that is the same for everybody.
    pub(super) const fn plain(root: Root) -> Self {
        Self { root, account: None }
    }

    /// What runs here.
    pub(super) const fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }
}

/// Where a page lies, seen from which all links begin: `../` for each step up to the base URL.
#[derive(Debug, Clone, Copy)]
pub(super) struct Root(usize);

impl Root {
    /// Of `/ui/`.
    pub(super) const OF_OVERVIEW: Self = Self(1);
    /// Of `/ui/streams/{stream}`, and of `/ui/problems/{kind}`.
    pub(super) const OF_STREAM: Self = Self(2);
    /// Of `/ui/streams/{stream}/{place}`.
    pub(super) const OF_EVENT: Self = Self(3);

    /// Of whatever lies at this path.
    pub(super) fn of_path(path: &str) -> Self {
        Self(path.matches('/').count().saturating_sub(1).min(STEPS_MAX))
    }

    /// A path, as it stands behind a base URL.
    pub(super) fn to(self, path: &str) -> String {
        format!("{self}{}", path.trim_start_matches('/'))
    }

    /// A page.
    pub(super) fn page(self, ui: Ui) -> String {
        self.to(&Address::Ui(ui).path())
    }

    /// The page of a source, with its newest events.
    pub(super) fn stream(self, source: &Source) -> String {
        self.page(Ui::Stream { source: source.clone(), look: Look::default() })
    }

    /// The page of an event.
    pub(super) fn event(self, source: &Source, number: impl Into<Number>) -> String {
        let place = Place::Number(number.into());
        self.page(Ui::Event { source: source.clone(), place, form: Form::default() })
    }
}

impl std::fmt::Display for Root {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (0..self.0).try_for_each(|_| f.write_str("../"))
    }
}

/// A link with its words.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) href: String,
    pub(super) words: String,
    /// What lies there, to the page.
    pub(super) rel: Option<&'static str>,
    /// It leads to what is shown.
    pub(super) is_here: bool,
}

impl Link {
    pub(super) fn new(words: impl Into<String>, href: String) -> Self {
        Self { href, words: words.into(), rel: None, is_here: false }
    }

    pub(super) fn rel(self, rel: &'static str) -> Self {
        Self { rel: Some(rel), ..self }
    }
}
