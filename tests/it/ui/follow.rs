//! What a page says to type does what it says.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::{order, page, start};
use crate::support::Reply;

/// The commands of the part of a page that goes by this id, by the words above each.
fn commands(reply: &Reply, part: &str) -> Vec<(String, String)> {
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..roxmltree::ParsingOptions::default() };
    let document = roxmltree::Document::parse_with_options(reply.text(), options).expect("checked before");
    let labelled = |node: &roxmltree::Node<'_, '_>| node.attribute("aria-labelledby") == Some(part);
    let section = document.descendants().find(labelled).unwrap_or_else(|| panic!("no {part}"));
    let text = |node: &roxmltree::Node<'_, '_>, name: &str| {
        let found = node.descendants().find(|node| node.has_tag_name(name)).expect(name);
        found.descendants().filter_map(|node| node.text().filter(|_| node.is_text())).collect::<String>()
    };
    let steps = section.descendants().filter(|node| node.has_tag_name("li"));
    steps.map(|step| (text(&step, "h3"), text(&step, "code"))).collect()
}

/// The first line that a program writes which holds this. Then it has done enough.
fn first_line(program: &str, arguments: &[&str], part: &str) -> Option<String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines().map_while(Result::ok);
    let found = lines.into_iter().find(|line| line.contains(part));
    child.kill().expect("it can be ended");
    child.wait().expect("it ends");
    found
}

#[test]
fn what_an_events_page_says_follows_from_there() {
    let (_data, server) = start();
    for number in 0..3 {
        order(&server, number);
    }
    let reply = page(&server, "/ui/streams/orders/0", 200);
    let commands = commands(&reply, "follow");
    assert_eq!(commands.iter().map(|(words, _)| words.as_str()).collect::<Vec<_>>(), ["curl", "Rust", "Python"]);
    let line = first_line("sh", &["-c", &commands[0].1], "\"number\":").expect("an event");
    assert!(line.contains("\"number\":1,"), "the one behind it: {line}");
    let line = first_line("python3", &["-u", "-c", &commands[2].1], "'number':").expect("an event");
    assert!(line.contains("'number': 1,"), "the one behind it: {line}");
    let start = format!("Start::Page(\"http://{}/streams/orders/1/forward/100.atom\".into())", server.address);
    assert!(commands[1].1.contains(&start), "{}", commands[1].1);
}

#[test]
fn what_the_overview_says_appends_reads_and_follows() {
    let (_data, server) = start();
    let commands = commands(&page(&server, "/ui/", 200), "begin");
    let [append, read, follow] = &commands[..] else { panic!("{commands:#?}") };
    assert!(first_line("sh", &["-c", &append.1], "HTTP/1.1 201").is_some(), "{append:?}");
    assert_eq!(server.events(), 1);
    assert!(first_line("sh", &["-c", &read.1], "<title>greetings</title>").is_some(), "{read:?}");
    assert!(first_line("sh", &["-c", &follow.1], "\"type\":\"Greeted\"").is_some(), "{follow:?}");
}
