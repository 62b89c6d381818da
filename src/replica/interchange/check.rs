//! What a file has said so far, line by line: its checksum, and how many rows it has.

use sha2::{Digest as _, Sha256};

use super::{FORMAT, Fault, FaultKind, Header, Mark, Sum, VERSION};

/// A line, told by how it begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Row,
    /// What came before it is as it was written.
    Mark,
    End,
}

/// Everything that marks speak of.
#[derive(Debug, Clone, Default)]
pub(super) struct Check {
    hash: Sha256,
    lines: u64,
    events: u64,
    /// The line after the last mark.
    since: u64,
}

impl Check {
    /// How many rows there were.
    pub(super) fn events(&self) -> u64 {
        self.events
    }

    /// Something is wrong with the line that comes next.
    pub(super) fn fault(&self, why: FaultKind) -> Fault {
        Fault { line: self.lines + 1, why }
    }

    /// Takes in the first line of a file.
    pub(super) fn header(&mut self, line: &[u8]) -> Result<Header, Fault> {
        /// What all versions have.
        #[derive(serde::Deserialize)]
        struct Named {
            format: String,
            version: u32,
        }
        let no_export = |error: serde_json::Error| self.fault(FaultKind::NotAnExport(error.to_string()));
        let named: Named = serde_json::from_slice(line).map_err(no_export)?;
        if named.format != FORMAT {
            return Err(self.fault(FaultKind::NotAnExport(format!("its format is {:?}", named.format))));
        }
        if named.version != VERSION {
            return Err(self.fault(FaultKind::NewerVersion(named.version)));
        }
        let header = serde_json::from_slice(line).map_err(no_export)?;
        self.add(line);
        self.since = self.lines + 1;
        Ok(header)
    }

    /// Takes in the next line, with the line break at its end.
    pub(super) fn line(&mut self, line: &[u8]) -> Result<Line, Fault> {
        if line.starts_with(b"{\"stream\":") {
            self.add(line);
            self.events += 1;
            return Ok(Line::Row);
        }
        let neither = |_| self.fault(FaultKind::Unreadable("this is neither a row nor a mark".into()));
        let mark: Mark = serde_json::from_slice(line).map_err(neither)?;
        let (Mark::Mark(said) | Mark::End(said)) = &mark;
        let altered = |what| Err(self.fault(FaultKind::Altered { since: self.since, what }));
        let Sum { events, sha256 } = self.sum();
        if said.sha256 != sha256 {
            return altered("its checksum is another");
        }
        if said.events != events {
            return altered("it holds another number of rows");
        }
        self.add(line);
        self.since = self.lines + 1;
        Ok(match mark {
            Mark::Mark(_) => Line::Mark,
            Mark::End(_) => Line::End,
        })
    }

    /// The mark that comes next, as a line that has been taken in.
    pub(super) fn mark(&mut self, is_end: bool) -> Vec<u8> {
        let mark = if is_end { Mark::End(self.sum()) } else { Mark::Mark(self.sum()) };
        let mut line = serde_json::to_vec(&mark).expect("texts and numbers are always JSON");
        line.push(b'\n');
        self.add(&line);
        line
    }

    /// Takes in a line that we write.
    pub(super) fn add(&mut self, line: &[u8]) {
        self.hash.update(line);
        self.lines += 1;
    }

    /// Takes in a row that we write.
    pub(super) fn add_row(&mut self, line: &[u8]) {
        self.add(line);
        self.events += 1;
    }

    fn sum(&self) -> Sum {
        let digest = self.hash.clone().finalize();
        Sum { events: self.events, sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect() }
    }
}
