//! `jsonlines`, for lines of JSON in Python: it reads every page as NDJSON, and sends what it read elsewhere.

use serde_json::{Value, json};

use super::{Client, Place};

#[test]
fn a_stream_is_copied_line_by_line() {
    let place = Place::start();
    let sent: [(&str, &str, &[u8]); 6] = [
        ("application/json", "OrderPlaced", b"{\"order\":4711}"),
        ("application/json", "over lines", b"{\n  \"order\": 4712\r\n}"),
        ("text/plain", "a \"type\" of <Zoë>", "Zoë,\nin two lines".as_bytes()),
        ("text/plain", "line ends to some", "\u{85}\u{2028}\u{2029}\u{b}\u{c}".as_bytes()),
        ("application/octet-stream", "bytes", b"\x00\xff"),
        ("text/plain", "nothing", b""),
    ];
    for (media_type, event_type, data) in sent {
        place.append("/streams/original", media_type, event_type, data);
    }
    let [original, copy] = ["/streams/original", "/streams/copy"].map(|path| place.url(path));
    let twice = json!([[original, copy], [copy, place.url("/streams/copy%20of%20the%20copy")]]);
    let copies = Client::Jsonlines.run(&place.server, &twice);

    let kept = ["number", "id", "type", "mediaType", "data", "dataBase64"];
    let lines = |copy: &Value| -> Vec<Vec<Value>> {
        let lines = copy["lines"].as_array().expect("an array");
        lines.iter().map(|line| kept.iter().map(|name| line[name].clone()).collect()).collect()
    };
    assert_eq!(lines(&copies[0]).len(), sent.len());
    assert_eq!(lines(&copies[0]), lines(&copies[1]), "the copy has what the original has");
    for (line, (media_type, event_type, _)) in copies[0]["lines"].as_array().expect("an array").iter().zip(sent) {
        assert_eq!((&line["mediaType"], &line["type"]), (&json!(media_type), &json!(event_type)));
    }
    for (number, (media_type, _, data)) in (0..).zip(sent) {
        let reply = place.server.get(&format!("/streams/copy%20of%20the%20copy/{number}/data"), &[]);
        assert_eq!(reply.header("content-type"), Some(media_type));
        // As JSON the data may have been spaced anew by whoever copied them.
        if number != 0 {
            assert_eq!(reply.body, data, "{media_type}");
        }
    }
}
