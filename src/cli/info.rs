//! `everfeed info`: what a server is and how it is, or where one stream stands.

use std::io::Write;

use clap::Args;
use serde_json::{Value, json};

use super::Failure;
use super::at::{At, Server};
use super::client::{Client, block_on, stream_name};
use super::failure::printable;
use super::streams::size;
use crate::address::{Address, BaseUrl};
use crate::event::{Source, StreamName};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The stream; without it, the server
    #[arg(value_parser = stream_name)]
    stream: Option<StreamName>,
    #[command(flatten)]
    at: At,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let server = options.at.server()?;
    block_on(async {
        let base = server.base()?;
        let client = server.who.client(&server.url)?;
        let facts = match &options.stream {
            Some(stream) => of_stream(&client, &base, stream).await?,
            None => of_server(&client, &base, &server).await?,
        };
        let mut out = std::io::stdout().lock();
        if options.json {
            writeln!(out, "{facts:#}")?;
        } else {
            for (name, value) in lines(&facts, "") {
                writeln!(out, "{name:<22} {}", printable(&value))?;
            }
        }
        Ok(())
    })
}

async fn of_server(client: &Client, base: &BaseUrl, server: &Server) -> Result<Value, Failure> {
    let mut facts = json!({ "server": server.url });
    for address in [Address::Info, Address::Ready] {
        let told = get(client, &base.url(&address), true).await?;
        if let (Some(facts), Value::Object(told)) = (facts.as_object_mut(), told) {
            facts.extend(told);
        }
    }
    Ok(facts)
}

async fn of_stream(client: &Client, base: &BaseUrl, stream: &StreamName) -> Result<Value, Failure> {
    let of = Address::Stream { source: Source::named(stream.clone()), at: None };
    let mut facts = get(client, &base.url(&of), false).await?;
    if let Some(facts) = facts.as_object_mut() {
        facts.remove("growth");
    }
    if !stream.is_system() {
        let settings =
            base.url(&Address::Data { source: Source::Stream(stream.settings()), place: crate::address::Place::Head });
        let answer = client.get(&settings, &[]).await?;
        // There may be none, and not everybody may see them.
        if answer.refused().is_none() {
            facts["settings"] = serde_json::from_slice(&answer.body).unwrap_or_default();
        }
    }
    Ok(facts)
}

/// What is told there. That a server takes no appends is told with 503.
async fn get(client: &Client, url: &str, is_told_anyway: bool) -> Result<Value, Failure> {
    let answer = if is_told_anyway { client.get_once(url).await? } else { client.get(url, &[]).await? };
    match answer.refused() {
        Some(problem) if !is_told_anyway => Err(Failure::failed(problem)),
        _ => serde_json::from_slice(&answer.body).map_err(|error| Failure::failed(format_args!("{url}: {error}"))),
    }
}

/// One line for each fact; those within others have both names.
pub(super) fn lines(facts: &Value, within: &str) -> Vec<(String, String)> {
    let Value::Object(members) = facts else { return Vec::new() };
    let line = |(name, value): (&String, &Value)| {
        let name = if within.is_empty() { name.clone() } else { format!("{within}.{name}") };
        match value {
            Value::Object(inner) if !inner.is_empty() => lines(value, &name),
            Value::Null | Value::Array(_) | Value::Object(_) => Vec::new(),
            Value::String(text) => vec![(name, text.clone())],
            Value::Number(bytes) if name.to_ascii_lowercase().contains("bytes") => {
                let told = bytes.as_u64().map_or_else(|| bytes.to_string(), size);
                vec![(name, told)]
            }
            Value::Bool(_) | Value::Number(_) => vec![(name, value.to_string())],
        }
    };
    members.iter().flat_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_lines_and_lists_are_left_out() {
        let facts = json!({ "a": 1, "b": { "c": "x", "bytes": 2048 }, "list": [1], "none": null, "on": true });
        let lines: Vec<_> = lines(&facts, "").into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(lines, ["a=1", "b.c=x", "b.bytes=2.00 KiB", "on=true"]);
    }
}
