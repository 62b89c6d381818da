//! Exports that come from anywhere, as they are fuzzed.

use std::io::Cursor;

use crate::replica::Rows;

use super::check::Check;
use super::{Fault, Reader, decompressed};

/// A file; and its first line and rows once more, with the mark that they should have. By themselves marks notice nearly
/// every change, and nothing behind them would ever be tried.
pub(crate) fn export(case: &[u8]) {
    let _ = read(case.to_vec());
    let Some((file, rows)) = with_its_mark(case) else { return };
    if let Ok(read) = read(file) {
        assert!(read == rows, "each row is read as it stands there");
    }
}

/// The file, and the rows in it.
fn with_its_mark(case: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut lines = case.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
    let (mut check, header) = (Check::default(), lines.next()?);
    check.header(header).ok()?;
    let rows: Vec<u8> = lines.filter(|line| line.starts_with(b"{\"stream\":")).flatten().copied().collect();
    rows.split_inclusive(|byte| *byte == b'\n').for_each(|row| check.add_row(row));
    Some(([header, &rows, &check.mark(true)].concat(), rows))
}

/// The lines of all rows.
fn read(file: Vec<u8>) -> Result<Vec<u8>, Fault> {
    let mut reader = Reader::begin(decompressed(Cursor::new(file)).expect("bytes are read"))?;
    let (mut read, mut rows) = (Vec::new(), Rows::default());
    while let Some(block) = reader.next_block()? {
        for event in block.events {
            let number = event.number;
            if let Ok(row) = rows.of(event) {
                assert_eq!(Some(row.number.get()), number);
            }
        }
        read.extend_from_slice(&block.lines);
    }
    Ok(read)
}
