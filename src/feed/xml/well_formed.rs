//! Whether a text is a well-formed XML document with namespaces, by our own strict check.
//!
//! Parsers for reading are lenient in many ways; one lenient answer, inlined into a page that is cached for a
//! year, would stop every reader. DOCTYPE is refused, so entities cannot be declared. Nothing here recurses,
//! and depth, attributes and names have limits.

use std::borrow::Cow;
use std::ops::Range;

use super::is_representable;
use super::names::Name;
use crate::event::limits::{XML_ATTRIBUTES_MAX, XML_DEPTH_MAX, XML_NAMESPACES_MAX};

const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";
const XMLNS_NAMESPACE: &str = "http://www.w3.org/2000/xmlns/";

/// What the check has found in a well-formed document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outline {
    /// Where the root element is.
    pub(crate) root: Range<usize>,
    /// Where the root element's name ends.
    pub(crate) root_name_end: usize,
    /// The root element declares a default namespace.
    pub(crate) declares_default_namespace: bool,
    /// Outside the root element there is nothing but white space and the XML declaration, and nowhere is there
    /// a processing instruction: the root element says all that the document says.
    pub(crate) is_root_alone: bool,
}

/// Why a text is not a well-formed document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what}, at byte {at}")]
pub(crate) struct IllFormed {
    pub(crate) what: &'static str,
    /// In bytes from the start of the text.
    pub(crate) at: usize,
}

/// Checks a whole document.
///
/// # Errors
/// When it is not well-formed, not UTF-8 by its own account, has a DOCTYPE, or exceeds a limit.
pub(crate) fn outline(text: &str) -> Result<Outline, IllFormed> {
    if !is_representable(text) {
        let is_excluded = |c: char| !is_representable(c.encode_utf8(&mut [0; 4]));
        let at = text.find(is_excluded).unwrap_or_default();
        return Err(IllFormed { what: "it holds a character that XML 1.0 excludes", at });
    }
    let mut check = Check { text, at: 0, open: Vec::new(), bindings: Vec::new(), is_root_alone: true };
    check.document().map_err(|what| IllFormed { what, at: check.at })
}

struct Check<'a> {
    text: &'a str,
    at: usize,
    /// The names of the elements that are open.
    open: Vec<&'a str>,
    /// Prefix, namespace and depth of each declaration in scope, the innermost last.
    bindings: Vec<(&'a str, Cow<'a, str>, usize)>,
    is_root_alone: bool,
}

struct Attribute<'a> {
    name: Name<'a>,
    value: &'a str,
}

impl<'a> Check<'a> {
    fn document(&mut self) -> Result<Outline, &'static str> {
        self.take("\u{FEFF}");
        self.declaration()?;
        self.beside_root()?;
        let start = self.at;
        if !self.take("<") {
            return Err("the root element is missing");
        }
        let root_name_end = self.at + Name::at_start_of(self.rest())?.whole.len();
        let declares_default_namespace = self.start_tag()?;
        while !self.open.is_empty() {
            self.content()?;
        }
        let root = start..self.at;
        self.beside_root()?;
        if !self.rest().is_empty() {
            return Err("there is something after the root element");
        }
        Ok(Outline { root, root_name_end, declares_default_namespace, is_root_alone: self.is_root_alone })
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn take(&mut self, token: &str) -> bool {
        let is_there = self.rest().starts_with(token);
        if is_there {
            self.at += token.len();
        }
        is_there
    }

    /// Skips white space, and says whether there was any.
    fn space(&mut self) -> bool {
        let rest = self.rest();
        let skipped = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
        self.at += skipped;
        skipped > 0
    }

    /// Skips to the end of `token`, and returns what stood before it.
    fn until(&mut self, token: &str, missing: &'static str) -> Result<&'a str, &'static str> {
        let rest = self.rest();
        // Nearly all tokens are one byte, and a searcher for longer ones costs more than a short search.
        let end = match token.as_bytes() {
            [byte] => memchr::memchr(*byte, rest.as_bytes()),
            _ => rest.find(token),
        };
        let end = end.ok_or(missing)?;
        self.at += end + token.len();
        Ok(&rest[..end])
    }

    fn name(&mut self) -> Result<Name<'a>, &'static str> {
        let name = Name::at_start_of(self.rest())?;
        self.at += name.whole.len();
        Ok(name)
    }

    /// `= "value"`
    fn value(&mut self) -> Result<&'a str, &'static str> {
        self.space();
        if !self.take("=") {
            return Err("an attribute has no value");
        }
        self.space();
        let quote = if self.take("\"") {
            "\""
        } else if self.take("'") {
            "'"
        } else {
            return Err("an attribute's value is not quoted");
        };
        self.until(quote, "an attribute's value does not end")
    }

    /// `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>`
    fn declaration(&mut self) -> Result<(), &'static str> {
        if !self.rest().strip_prefix("<?xml").is_some_and(|rest| rest.starts_with([' ', '\t', '\n', '\r'])) {
            return Ok(());
        }
        self.at += "<?xml".len();
        let mut rank = 0;
        while self.space() && !self.rest().starts_with("?>") {
            let name = self.name()?.whole;
            let value = self.value()?;
            let (own_rank, is_right) = match name {
                "version" => (1, value == "1.0"),
                "encoding" => (2, value.eq_ignore_ascii_case("utf-8")),
                "standalone" => (3, matches!(value, "yes" | "no")),
                _ => return Err("the XML declaration is malformed"),
            };
            // The version comes first, the others may be missing.
            if own_rank <= rank || (rank == 0 && own_rank != 1) {
                return Err("the XML declaration is malformed");
            }
            if !is_right {
                return Err("only XML 1.0 in UTF-8 is taken");
            }
            rank = own_rank;
        }
        if rank > 0 && self.take("?>") { Ok(()) } else { Err("the XML declaration is malformed") }
    }

    /// Comments, processing instructions and white space before and after the root element.
    fn beside_root(&mut self) -> Result<(), &'static str> {
        loop {
            self.space();
            if self.take("<!--") {
                self.is_root_alone = false;
                self.comment()?;
            } else if self.take("<?") {
                self.instruction()?;
            } else if self.rest().starts_with("<!") {
                return Err("a DOCTYPE is not taken");
            } else {
                return Ok(());
            }
        }
    }

    fn comment(&mut self) -> Result<(), &'static str> {
        self.until("--", "a comment does not end")?;
        if self.take(">") { Ok(()) } else { Err("a comment holds two hyphens") }
    }

    fn instruction(&mut self) -> Result<(), &'static str> {
        self.is_root_alone = false;
        let target = self.name()?;
        if !target.prefix.is_empty() || target.whole.eq_ignore_ascii_case("xml") {
            return Err("a processing instruction has a reserved name");
        }
        if !self.space() && !self.rest().starts_with("?>") {
            return Err("a processing instruction is malformed");
        }
        self.until("?>", "a processing instruction does not end").map(|_| ())
    }

    /// A run of text, and the markup after it, inside an element.
    fn content(&mut self) -> Result<(), &'static str> {
        let text = self.until("<", "an element does not end")?;
        if memchr::memchr_iter(b'>', text.as_bytes()).any(|at| text[..at].ends_with("]]")) {
            return Err("a text holds ]]>");
        }
        references(text)?;
        if self.take("/") {
            self.end_tag()
        } else if self.take("!--") {
            self.comment()
        } else if self.take("![CDATA[") {
            self.until("]]>", "a CDATA section does not end").map(|_| ())
        } else if self.take("?") {
            self.instruction()
        } else {
            self.start_tag().map(|_| ())
        }
    }

    fn end_tag(&mut self) -> Result<(), &'static str> {
        let name = self.name()?.whole;
        self.space();
        if self.open.last() != Some(&name) {
            return Err("an end tag does not match its start tag");
        }
        if !self.take(">") {
            return Err("an end tag is malformed");
        }
        self.close();
        Ok(())
    }

    fn close(&mut self) {
        let depth = self.open.len();
        self.open.pop();
        while self.bindings.last().is_some_and(|(.., declared_at)| *declared_at == depth) {
            self.bindings.pop();
        }
    }

    /// The rest of a start tag, and whether it declares a default namespace.
    fn start_tag(&mut self) -> Result<bool, &'static str> {
        let name = self.name()?;
        if self.open.len() == XML_DEPTH_MAX {
            return Err("elements are nested too deeply");
        }
        self.open.push(name.whole);
        let mut attributes: Vec<Attribute<'a>> = Vec::new();
        let is_empty = loop {
            let separated = self.space();
            if self.take("/>") {
                break true;
            }
            if self.take(">") {
                break false;
            }
            if !separated {
                return Err("a start tag is malformed");
            }
            if attributes.len() == XML_ATTRIBUTES_MAX {
                return Err("an element has too many attributes");
            }
            let name = self.name()?;
            let value = self.value()?;
            if value.contains('<') {
                return Err("an attribute's value holds <");
            }
            references(value)?;
            attributes.push(Attribute { name, value });
        };
        let declares_default_namespace = self.declare(&attributes)?;
        self.resolve(&name, &attributes)?;
        if is_empty {
            self.close();
        }
        Ok(declares_default_namespace)
    }

    /// Namespaces in XML 1.0 §3.
    fn declare(&mut self, attributes: &[Attribute<'a>]) -> Result<bool, &'static str> {
        let mut declares_default_namespace = false;
        for Attribute { name, value } in attributes {
            let is_default = name.whole == "xmlns";
            if !is_default && name.prefix != "xmlns" {
                continue;
            }
            declares_default_namespace |= is_default;
            let prefix = if is_default { "" } else { name.local };
            let namespace = expand(value);
            if prefix == "xmlns" || namespace == XMLNS_NAMESPACE || (prefix == "xml") != (namespace == XML_NAMESPACE) {
                return Err("a reserved prefix or namespace is declared");
            }
            if namespace.is_empty() && !is_default {
                return Err("a prefix is declared without a namespace");
            }
            if self.bindings.len() == XML_NAMESPACES_MAX {
                return Err("too many namespaces are declared");
            }
            self.bindings.push((prefix, namespace, self.open.len()));
        }
        Ok(declares_default_namespace)
    }

    /// Every prefix is declared, and no attribute stands twice.
    fn resolve(&self, element: &Name<'a>, attributes: &[Attribute<'a>]) -> Result<(), &'static str> {
        if element.prefix == "xmlns" {
            return Err("an element has a reserved prefix");
        }
        self.namespace(element.prefix)?;
        let mut seen: Vec<(&Name<'a>, &str)> = Vec::with_capacity(attributes.len());
        for Attribute { name, .. } in attributes {
            let namespace = self.namespace(name.prefix)?;
            let stands_twice = seen.iter().any(|(earlier, of_earlier)| {
                let both_prefixed = !name.prefix.is_empty() && !earlier.prefix.is_empty();
                name.whole == earlier.whole
                    || (both_prefixed && name.local == earlier.local && namespace == *of_earlier)
            });
            if stands_twice {
                return Err("an attribute stands twice");
            }
            seen.push((name, namespace));
        }
        Ok(())
    }

    fn namespace(&self, prefix: &str) -> Result<&str, &'static str> {
        match prefix {
            "xml" => Ok(XML_NAMESPACE),
            "xmlns" => Ok(XMLNS_NAMESPACE),
            "" => Ok(""),
            _ => {
                let binding = self.bindings.iter().rev().find(|(bound, ..)| *bound == prefix);
                binding.map(|(_, namespace, _)| &**namespace).ok_or("a prefix is not declared")
            }
        }
    }
}

/// Every `&` begins a reference to one of the five entities of XML itself, or to a character that XML allows.
fn references(text: &str) -> Result<(), &'static str> {
    for at in memchr::memchr_iter(b'&', text.as_bytes()) {
        reference(&text[at + 1..]).ok_or("a reference leads to nothing")?;
    }
    Ok(())
}

/// The character that a reference stands for, and the length of the reference behind its `&`.
fn reference(text: &str) -> Option<(char, usize)> {
    let name = text.split_once(';')?.0;
    let c = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = name.strip_prefix('#')?;
            let (digits, radix) = number.strip_prefix('x').map_or((number, 10), |hex| (hex, 16));
            // `from_str_radix` alone would take a sign.
            let value =
                digits.chars().all(|c| c.is_digit(radix)).then(|| u32::from_str_radix(digits, radix).ok())??;
            char::from_u32(value).filter(|c| is_representable(c.encode_utf8(&mut [0; 4])))?
        }
    };
    Some((c, name.len() + 1))
}

/// The value that parsers read, for comparing namespaces. All references in it have been checked.
fn expand(value: &str) -> Cow<'_, str> {
    if !value.contains(['&', '\t', '\n', '\r']) {
        return Cow::Borrowed(value);
    }
    let mut expanded = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '&' => {
                let (c, length) = reference(rest).expect("references were checked");
                expanded.push(c);
                rest = &rest[length..];
            }
            // Line ends are one character to a parser, however they are written.
            '\r' if rest.starts_with('\n') => {}
            '\t' | '\n' | '\r' => expanded.push(' '),
            _ => expanded.push(c),
        }
    }
    Cow::Owned(expanded)
}
