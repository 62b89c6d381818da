//! Looking for what people type, in all names at once: upper and lower case of ASCII are the same, and the names that
//! fit best come first.

use std::ops::Range;

use memchr::memmem::Finder;

use super::shelf::Shelf;
use super::text::{Text, partition};

/// So many bytes of names are looked through at once, in lower case: they stay in the processor's nearer cache.
const WINDOW_BYTES: usize = 32 << 10;

/// What is in every second name tells nothing. After so many matches the rest is not looked at.
const MATCHES_MAX: usize = 100_000;

/// A text has as many spellings as there are ways to choose upper and lower case. After so many letters, of all that
/// there are names for together, the rest is not looked at.
const LETTERS_MAX: usize = 4_096;

/// How well a name fits, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    /// It is what was typed.
    Whole,
    /// It begins so.
    Beginning,
    /// One of its words begins so.
    Word,
    /// It is somewhere in it.
    Inside,
}

/// What is looked for.
pub(super) struct Wanted {
    /// In lower case.
    text: String,
    /// Names of the server are found by those alone who ask for them.
    wants_servers: bool,
    finder: Finder<'static>,
}

/// The names of one shelf that fit, of each fit the first `count_max`.
pub(super) struct Fitting<'n> {
    pub(super) names: Vec<(Fit, &'n str)>,
    beginnings: usize,
    words: usize,
    inside: usize,
    count_max: usize,
    /// Once there are so many that fit so, nothing better is to be expected.
    last_wanted: Fit,
    /// There may be more.
    pub(super) is_cut: bool,
}

impl<'n> Fitting<'n> {
    fn new(count_max: usize, last_wanted: Fit) -> Self {
        Self { names: Vec::new(), beginnings: 0, words: 0, inside: 0, count_max, last_wanted, is_cut: false }
    }

    fn add(&mut self, fit: Fit, name: &'n str) {
        let count = match fit {
            Fit::Whole => None,
            Fit::Beginning => Some(&mut self.beginnings),
            Fit::Word => Some(&mut self.words),
            Fit::Inside => Some(&mut self.inside),
        };
        match count {
            Some(count) if *count == self.count_max => {
                self.is_cut = true;
                return;
            }
            Some(count) => *count += 1,
            None => {}
        }
        self.names.push((fit, name));
    }

    fn has_enough(&self) -> bool {
        let count = match self.last_wanted {
            Fit::Whole | Fit::Beginning => self.beginnings,
            Fit::Word => self.words,
            Fit::Inside => self.inside,
        };
        count == self.count_max
    }
}

impl Wanted {
    pub(super) fn new(text: &str) -> Self {
        let text = text.to_ascii_lowercase();
        Self { finder: Finder::new(&text).into_owned(), wants_servers: text.starts_with('$'), text }
    }

    /// The names of a shelf that begin so. They lie beside each other, for each spelling.
    pub(super) fn beginnings<'n>(&self, shelf: &'n Shelf, count_max: usize) -> Fitting<'n> {
        let mut found = Fitting::new(count_max, Fit::Beginning);
        let mut letters = LETTERS_MAX;
        self.spellings(shelf.names(), 0..shelf.len(), 0, &mut letters, &mut found);
        found
    }

    /// Of the names in this range, which are the same in their first `depth` bytes.
    fn spellings<'n>(
        &self,
        names: &'n Text,
        range: Range<usize>,
        depth: usize,
        left: &mut usize,
        found: &mut Fitting<'n>,
    ) {
        if range.is_empty() {
            return;
        }
        let Some(fewer) = left.checked_sub(1) else {
            found.is_cut = true;
            return;
        };
        *left = fewer;
        let Some(lower) = self.text.as_bytes().get(depth) else {
            for index in range {
                let name = names.name(index);
                found.add(if name.len() == depth { Fit::Whole } else { Fit::Beginning }, name);
                if found.is_cut {
                    break;
                }
            }
            return;
        };
        let upper = lower.to_ascii_uppercase();
        // The upper case comes first, as it does among bytes.
        for byte in [upper, *lower].into_iter().take(if upper == *lower { 1 } else { 2 }) {
            let at = |index: usize| names.name(index).as_bytes().get(depth).copied();
            let low = partition(range.clone(), |index| at(index) < Some(byte));
            let high = partition(low..range.end, |index| at(index) <= Some(byte));
            self.spellings(names, low..high, depth + 1, left, found);
        }
    }

    /// The names that have it somewhere else than at their beginning.
    pub(super) fn inside<'n>(&self, names: &'n Text, count_max: usize) -> Fitting<'n> {
        let mut found = Fitting::new(count_max, Fit::Word);
        self.look_through(names, &mut found, |fit| fit > Fit::Beginning);
        found
    }

    /// The names that have it anywhere.
    pub(super) fn anywhere<'n>(&self, names: &'n Text, count_max: usize) -> Fitting<'n> {
        let mut found = Fitting::new(count_max, Fit::Beginning);
        self.look_through(names, &mut found, |_| true);
        found
    }

    fn look_through<'n>(&self, names: &'n Text, found: &mut Fitting<'n>, is_wanted: impl Fn(Fit) -> bool) {
        let mut lower = String::with_capacity(2 * WINDOW_BYTES);
        let (mut first, mut matches) = (0, 0);
        while first < names.len() {
            let start = names.start(first);
            let end = partition(first + 1..names.len(), |index| names.end(index) <= start + WINDOW_BYTES);
            lower.clear();
            lower.push_str(names.piece(first..end));
            lower.make_ascii_lowercase();
            let (mut name, mut from) = (first, 0);
            while let Some(at) = self.finder.find(&lower.as_bytes()[from..]) {
                matches += 1;
                if matches > MATCHES_MAX || found.has_enough() {
                    found.is_cut = true;
                    return;
                }
                let at = start + from + at;
                name += partition(0..end - name, |ahead| names.end(name + ahead) <= at);
                let lower_name = &lower[names.start(name) - start..names.end(name) - start];
                if self.wants_servers || !lower_name.starts_with('$') {
                    let fit = self.best_fit(lower_name);
                    if is_wanted(fit) {
                        found.add(fit, names.name(name));
                    }
                }
                from = names.end(name) - start;
            }
            first = end;
        }
    }

    /// How well a name fits that has it somewhere, in lower case.
    fn best_fit(&self, name: &str) -> Fit {
        if name.starts_with(&self.text) {
            return if name.len() == self.text.len() { Fit::Whole } else { Fit::Beginning };
        }
        let bytes = name.as_bytes();
        let mut from = 1;
        while let Some(at) = self.finder.find(&bytes[from..]) {
            let before = bytes[from + at - 1];
            if before.is_ascii() && !before.is_ascii_alphanumeric() {
                return Fit::Word;
            }
            from += at + 1;
        }
        Fit::Inside
    }
}
