//! How lists are printed: a table for people, a line of JSON each for programs.

use std::io::Write;

use serde::Serialize;

use super::Failure;

/// Prints rows below a heading, each column as wide as it has to be.
pub(super) fn print_table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> Result<(), Failure> {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([heading[column].len()]).max().unwrap_or_default()
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let mut out = std::io::stdout().lock();
    for row in std::iter::once(heading).chain(rows.iter().map(|row| row.each_ref().map(String::as_str))) {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}

/// Prints one object a line.
pub(super) fn print_lines<T: Serialize>(rows: impl IntoIterator<Item = T>) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    for row in rows {
        serde_json::to_writer(&mut out, &row).map_err(std::io::Error::from)?;
        writeln!(out)?;
    }
    Ok(())
}
