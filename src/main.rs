//! Runs the chosen command.
fn main() {}
