//! The log, on standard error: text for people on a terminal, one JSON object a line for machines.

use std::fmt::Write as _;
use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Log, LogFormat};

/// Which lines the log shows; it can be changed while it goes on.
pub struct Level(Box<dyn Fn(&str) + Send + Sync>);

impl Level {
    /// From now on the log shows these lines.
    pub fn set(&self, log: &Log) {
        (self.0)(&filter(log));
    }
}

/// From now on everything that is logged, and every panic, goes to standard error.
pub fn start(log: &Log) -> Level {
    let is_terminal = std::io::stderr().is_terminal();
    let is_json = match log.format {
        LogFormat::Auto => !is_terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let (subscriber, level) = subscriber(&filter(log), is_json, is_terminal, std::io::stderr);
    subscriber.init();
    // The default hook would write several lines of text among the objects.
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "panicked")));
    level
}

/// What is shown. The access log has a switch of its own; whoever names it in the level means what that says.
fn filter(Log { level, access, .. }: &Log) -> String {
    format!("everfeed::request={},{}", if *access { "info" } else { "off" }, level.0)
}

fn subscriber(
    filter: &str,
    is_json: bool,
    has_colours: bool,
    writer: impl for<'w> MakeWriter<'w> + Send + Sync + 'static,
) -> (Box<dyn tracing::Subscriber + Send + Sync>, Level) {
    let builder = tracing_subscriber::fmt().with_env_filter(EnvFilter::new(filter)).with_writer(writer);
    if is_json {
        let builder = builder.json().flatten_event(true).with_current_span(true).with_span_list(false);
        let builder = builder.with_filter_reloading();
        let handle = builder.reload_handle();
        return (Box::new(builder.finish()), level(move |filter| handle.reload(filter).is_ok()));
    }
    // A request may bring any text into the log; a terminal must not obey it, and a line must stay one.
    let fields = debug_fn(|writer, field, value| {
        if field.name() != "message" {
            write!(writer, "{field}=")?;
        }
        write!(Escaping(writer), "{value:?}")
    });
    let builder = builder.fmt_fields(fields.delimited(" ")).with_ansi(has_colours).with_filter_reloading();
    let handle = builder.reload_handle();
    (Box::new(builder.finish()), level(move |filter| handle.reload(filter).is_ok()))
}

/// There is nothing to change once the log has ended with its process.
fn level(reload: impl Fn(EnvFilter) -> bool + Send + Sync + 'static) -> Level {
    Level(Box::new(move |filter| {
        let _ = reload(EnvFilter::new(filter));
    }))
}

/// Writes control characters as `\u{…}`.
struct Escaping<'a, 'w>(&'a mut tracing_subscriber::fmt::format::Writer<'w>);

impl std::fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for c in text.chars() {
            if c.is_control() { write!(self.0, "{}", c.escape_default())? } else { self.0.write_char(c)? }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::config::Filter;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("nobody panics here").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written when this is logged.
    fn logged(is_json: bool, log: impl FnOnce()) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let (subscriber, _) = subscriber("info", is_json, false, move || writer.clone());
        tracing::subscriber::with_default(subscriber, log);
        String::from_utf8(sink.0.lock().expect("nobody panics here").clone()).expect("it is text")
    }

    #[test]
    fn the_access_log_has_a_switch_of_its_own_and_the_level_can_name_it() {
        let shown = |level: &str, access| {
            let sink = Sink::default();
            let writer = sink.clone();
            let log = Log { level: Filter(level.to_string()), format: LogFormat::Json, access };
            let (subscriber, _) = subscriber(&filter(&log), true, false, move || writer.clone());
            tracing::subscriber::with_default(subscriber, || {
                tracing::info!(target: "everfeed::request", "request");
                tracing::warn!(target: "everfeed::access::tries", "all else");
            });
            let lines = String::from_utf8(sink.0.lock().expect("nobody panics here").clone()).expect("it is text");
            (lines.contains("request"), lines.contains("all else"))
        };
        assert_eq!(shown("info", false), (false, true));
        assert_eq!(shown("info", true), (true, true));
        assert_eq!(shown("trace", false), (false, true));
        assert_eq!(shown("error", true), (true, false));
        assert_eq!(shown("info,everfeed::request=debug", false), (true, true));
        assert_eq!(shown("info,everfeed::request=off", true), (false, true));
    }

    const HOSTILE: &str = "\u{1b}[2J\nforged line\u{9b}";

    #[test]
    fn text_is_one_line_and_nothing_that_a_terminal_obeys() {
        let line = logged(false, || tracing::info!(number = 7, text = HOSTILE, shown = %HOSTILE, "hello {HOSTILE}"));
        assert_eq!(line.matches('\n').count(), 1, "{line:?}");
        assert!(!line.trim_end().contains(char::is_control), "{line:?}");
        assert!(line.contains("number=7") && line.contains(r"hello \u{1b}[2J\nforged line\u{9b}"), "{line:?}");
    }

    #[test]
    fn json_is_one_flat_object_a_line() {
        let lines = logged(true, || {
            tracing::info!(number = 7, text = HOSTILE, shown = %HOSTILE, "hello");
            tracing::debug!("not shown");
        });
        assert_eq!(lines.matches('\n').count(), 1, "{lines:?}");
        let object: serde_json::Value = serde_json::from_str(&lines).expect("it is JSON");
        assert_eq!(object["message"], "hello");
        assert_eq!(object["level"], "INFO");
        assert_eq!(object["number"], 7);
        assert_eq!(object["shown"], HOSTILE);
        assert!(object["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{object}");
    }
}
