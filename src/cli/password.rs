//! Where a command gets a new password from: standard input, a terminal, or chance. Never from an argument, which
//! everybody on the machine could read.

use std::io::{IsTerminal, Read, Write};

use clap::Args;
use console::Term;

use crate::access::generate_password;

use super::{Exit, Failure};

/// Longer than any password that is taken.
const INPUT_BYTES_MAX: u64 = 4_096;

#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Options {
    /// Read the password from standard input instead of asking for it
    #[arg(long, conflicts_with = "generate")]
    password_stdin: bool,
    /// Make a password that nobody guesses, and print it
    #[arg(long)]
    generate: bool,
}

impl Options {
    /// The password; one that nobody knows yet is to be printed, by [`Self::tell`], once it is set.
    pub(super) fn password(&self) -> Result<String, Failure> {
        if self.generate {
            return Ok(generate_password());
        }
        if self.password_stdin {
            return from_input(std::io::stdin().lock());
        }
        from_terminal()
    }

    /// Prints a password that was made here: standard output is for whoever asked for it.
    pub(super) fn tell(&self, password: &str) -> Result<(), Failure> {
        if self.generate {
            writeln!(std::io::stdout(), "{password}")?;
        }
        Ok(())
    }
}

/// One line. The line break that `echo` adds is none of it.
fn from_input(input: impl Read) -> Result<String, Failure> {
    let mut text = String::new();
    input.take(INPUT_BYTES_MAX).read_to_string(&mut text)?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    match line.contains(char::is_control) {
        true => Err(Failure::new(Exit::Usage, "--password-stdin: one line without control characters is expected")),
        false => Ok(line.to_string()),
    }
}

/// Asks twice, since nobody sees what is typed.
fn from_terminal() -> Result<String, Failure> {
    let terminal = Term::stderr();
    if !terminal.is_term() || !std::io::stdin().is_terminal() {
        let why = "there is no terminal to ask for the password: --password-stdin reads it, --generate makes one";
        return Err(Failure::new(Exit::Usage, why));
    }
    let ask = |question: &str| {
        terminal.write_str(question)?;
        terminal.read_secure_line()
    };
    let password = ask("New password: ")?;
    match password == ask("The same again: ")? {
        true => Ok(password),
        false => Err(Failure::failed("these are two different passwords; nothing was changed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_a_line() {
        for (input, password) in [("secret", "secret"), ("secret\n", "secret"), ("se cret\r\n", "se cret"), ("", "")] {
            assert_eq!(from_input(input.as_bytes()).as_deref(), Ok(password), "{input:?}");
        }
        for input in ["one\ntwo", "one\n\n", "a\tb"] {
            assert!(from_input(input.as_bytes()).is_err(), "{input:?}");
        }
    }
}
