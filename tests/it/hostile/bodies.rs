//! Documents that are made to hurt whoever parses them.

use std::net::TcpListener;

use super::Attacked;
use crate::support::check;

const ENTRY: &str = "application/atom+xml;type=entry";
const BATCH: &str = "application/vnd.eventstore.events+json";
const BATCH_XML: &str = "application/vnd.eventstore.events+xml";

fn entry(inner: &str) -> Vec<u8> {
    format!("<entry xmlns='http://www.w3.org/2005/Atom'><title>t</title>{inner}</entry>").into_bytes()
}

fn utf16(text: &str, in_order: fn(u16) -> [u8; 2], mark: &[u8]) -> Vec<u8> {
    let mut bytes = mark.to_vec();
    bytes.extend(text.encode_utf16().flat_map(in_order));
    bytes
}

#[test]
fn xml_that_expands_fetches_nests_or_is_no_utf_8_is_refused() {
    let attacked = Attacked::new(&[]);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("it can be asked without waiting");
    let elsewhere = listener.local_addr().expect("it is bound");
    let document_type = |inner: &str| format!("<!DOCTYPE entry [{inner}]>").into_bytes();
    let laughs: String = (1..10).map(|n| format!("<!ENTITY l{n} '{}'>", format!("&l{};", n - 1).repeat(10))).collect();
    let quadratic = format!("<!ENTITY a '{}'>", "a".repeat(100_000));
    let plain = String::from_utf8(entry("")).expect("text");
    let declared =
        |encoding: &str| [format!("<?xml version='1.0' encoding='{encoding}'?>").as_bytes(), &entry("")].concat();
    let long_name = "n".repeat(1 << 20);
    let cases: Vec<(&str, Vec<u8>, u16)> = vec![
        ("laughs", [document_type(&format!("<!ENTITY l0 'ha'>{laughs}")), entry("&l9;")].concat(), 400),
        ("quadratic", [document_type(&quadratic), entry(&"&a;".repeat(10_000))].concat(), 400),
        ("external", [document_type(&format!("<!ENTITY x SYSTEM 'http://{elsewhere}/'>")), entry("&x;")].concat(), 400),
        (
            "public",
            [format!("<!DOCTYPE entry PUBLIC '-//x' 'http://{elsewhere}/'>").into_bytes(), entry("")].concat(),
            400,
        ),
        ("file", [document_type("<!ENTITY x SYSTEM 'file:///etc/passwd'>"), entry("&x;")].concat(), 400),
        (
            "parameter",
            [document_type(&format!("<!ENTITY % x SYSTEM 'http://{elsewhere}/'>%x;")), entry("")].concat(),
            400,
        ),
        ("lower case", [b"<!doctype entry>".to_vec(), entry("")].concat(), 400),
        ("unknown entity", entry("<summary>&nbsp;</summary>"), 400),
        (
            "include",
            entry(
                "<content type='application/xml'><x:include xmlns:x='http://www.w3.org/2001/XInclude' href='file:///etc/passwd'/></content>",
            ),
            201,
        ),
        (
            "deep",
            entry(&format!(
                "<content type='application/xml'>{}{}</content>",
                "<a>".repeat(500_000),
                "</a>".repeat(500_000)
            )),
            400,
        ),
        ("deep and open", entry(&"<a>".repeat(1_000_000)), 400),
        (
            "attributes",
            entry(&format!(
                "<content type='application/xml'><a{}/></content>",
                (0..300_000).map(|n| format!(" a{n}=''")).collect::<String>()
            )),
            400,
        ),
        (
            "namespaces",
            entry(&format!(
                "<content type='application/xml'><a{}/></content>",
                (0..50_000).map(|n| format!(" xmlns:a{n}='urn:{n}'")).collect::<String>()
            )),
            400,
        ),
        ("a long name", entry(&format!("<content type='application/xml'><{long_name}/></content>")), 400),
        (
            "a long attribute's name",
            entry(&format!("<content type='application/xml'><a {long_name}=''/></content>")),
            400,
        ),
        ("UTF-16, low byte first", utf16(&plain, u16::to_le_bytes, &[0xff, 0xfe]), 400),
        ("UTF-16, high byte first", utf16(&plain, u16::to_be_bytes, &[0xfe, 0xff]), 400),
        ("UTF-16 without a mark", utf16(&plain, u16::to_le_bytes, &[]), 400),
        ("declared UTF-16", declared("UTF-16"), 400),
        ("declared UTF-7", declared("UTF-7"), 400),
        ("declared Latin-1", declared("ISO-8859-1"), 400),
        ("UTF-7", b"+ADw-entry xmlns='http://www.w3.org/2005/Atom'/+AD4-".to_vec(), 400),
        ("EBCDIC", vec![0x4c, 0x6f, 0xa7, 0x94, 0x93, 0x40], 400),
        (
            "overlong",
            entry("<summary>\u{0}</summary>")
                .iter()
                .flat_map(|byte| if *byte == 0 { vec![0xc0, 0xaf] } else { vec![*byte] })
                .collect(),
            400,
        ),
        (
            "a surrogate",
            entry("<summary>\u{0}</summary>")
                .iter()
                .flat_map(|byte| if *byte == 0 { vec![0xed, 0xa0, 0x80] } else { vec![*byte] })
                .collect(),
            400,
        ),
        ("cut in a character", [entry("<summary>"), vec![0xe2, 0x82]].concat(), 400),
        ("a NUL", entry("<summary>\u{0}</summary>"), 400),
        ("a NUL by its number", entry("<summary>&#0;</summary>"), 400),
        ("a surrogate by its number", entry("<summary>&#xD800;</summary>"), 400),
    ];
    let mut written = 1;
    for (what, body, status) in &cases {
        let reply = attacked.server.post("/streams/xml", &[("Content-Type", ENTRY)], body);
        check(&reply, what);
        assert_eq!(reply.status, *status, "{what}: {}", String::from_utf8_lossy(&reply.body));
        written += u64::from(reply.status == 201);
    }
    let declared_outside = attacked.server.post(
        "/streams/xml",
        &[("Content-Type", "application/atom+xml;type=entry;charset=utf-16")],
        &cases[15].1,
    );
    assert!(matches!(declared_outside.status, 400 | 415), "{}", declared_outside.status);
    let batch = b"<!DOCTYPE e [<!ENTITY a 'b'>]><events><event><eventId>11111111-1111-4111-8111-111111111111</eventId><eventType>t</eventType><data>&a;</data></event></events>";
    assert_eq!(attacked.server.post("/streams/xml", &[("Content-Type", BATCH_XML)], batch).status, 400);
    assert!(listener.accept().is_err(), "nobody was asked for anything");
    // The largest of these bodies has 14 MB, and is in memory while it is read.
    attacked.check_unharmed_with(written, 96);
}

#[test]
fn json_that_nests_repeats_or_counts_without_end() {
    let attacked = Attacked::new(&[]);
    let json = "application/json";
    let event = |data: &str| {
        format!(r#"[{{"eventId":"11111111-1111-4111-8111-111111111111","eventType":"t","data":{data}}}]"#).into_bytes()
    };
    let digits = "9".repeat(1 << 20);
    let deep = |open: &str, close: &str| [open.repeat(600_000), close.repeat(600_000)].concat().into_bytes();
    let keys: String = (0..300_000).map(|n| format!("\"k{n}\":0,")).collect();
    for (what, media_type, body, status) in [
        ("arrays", json, deep("[", "]"), 400),
        ("objects", json, deep("{\"a\":", "}"), 400),
        ("arrays, open", json, vec![b'['; 1_000_000], 400),
        ("arrays in a batch", BATCH, event(&"[".repeat(1_000_000)), 400),
        ("no number", json, b"NaN".to_vec(), 400),
        ("a number that goes on", json, b"1 2".to_vec(), 400),
        ("a leading zero", json, b"[01]".to_vec(), 400),
        ("half a character", json, br#""\ud800""#.to_vec(), 400),
        ("a control character", json, b"\"\x01\"".to_vec(), 400),
        ("UTF-16", json, utf16("{}", u16::to_le_bytes, &[0xff, 0xfe]), 400),
        ("tiny objects", BATCH, format!("[{}]", vec!["{}"; 1_000_000].join(",")).into_bytes(), 400),
        ("tiny events", BATCH, format!("[{}]", vec![r#"{"eventType":"t"}"#; 800_000].join(",")).into_bytes(), 413),
        ("the same id twice", BATCH, br#"[{"eventId":"11111111-1111-4111-8111-111111111111","eventId":"22222222-2222-4222-8222-222222222222","eventType":"t","data":1}]"#.to_vec(), 400),
        ("many keys", json, format!("{{{keys}\"last\":0}}").into_bytes(), 201),
        ("the same key twice", json, br#"{"a":1,"a":2}"#.to_vec(), 201),
        ("a huge number", json, b"1e400".to_vec(), 201),
        ("many digits", json, digits.clone().into_bytes(), 201),
    ] {
        let reply = attacked.server.post("/streams/json", &[("Content-Type", media_type), ("ES-EventType", "t")], &body);
        check(&reply, what);
        assert_eq!(reply.status, status, "{what}: {}", String::from_utf8_lossy(&reply.body));
        if status == 201 {
            let path = reply.header("location").expect("it was written").split_once("/streams").expect("here").1;
            let read = attacked.server.get(&format!("/streams{path}/data"), &[]);
            assert!(read.body == body, "{what} comes back as it was sent");
        }
    }
    attacked.check_unharmed_with(5, 192);
}
