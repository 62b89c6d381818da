//! Prometheus' own parser for OpenMetrics, in Python: it takes nothing that is not.

use serde_json::{Value, json};

use super::{Client, Place};

#[test]
fn the_numbers_of_a_server_are_openmetrics() {
    let place = Place::start();
    place.append("/streams/orders", "application/json", "OrderPlaced", b"{}");
    assert_eq!(place.server.get("/streams/missing", &[]).status, 404);
    let read = Client::Prometheus.run(&place.server, &json!(["/metrics"]));
    let families = read[0].as_array().expect("an array");
    let family = |name: &str| -> &Value {
        let mut found = families.iter().filter(|family| family["name"] == name);
        found.next().unwrap_or_else(|| panic!("{name} is not there"))
    };
    for family in families {
        assert_ne!(family["help"], "", "{family}");
        let (name, unit) = (family["name"].as_str().expect("a name"), family["unit"].as_str().expect("text"));
        assert!(name.starts_with("everfeed_") || name.starts_with("process_"), "{name}");
        for measured in ["bytes", "seconds"] {
            assert_eq!(name.ends_with(&format!("_{measured}")), unit == measured, "{name} in {unit:?}");
        }
    }
    let kind = |name: &str| family(name)["type"].clone();
    assert_eq!(kind("everfeed_appended_bytes"), "counter");
    assert_eq!(kind("everfeed_waits"), "gauge");
    assert_eq!(kind("everfeed_append_seconds"), "histogram");
    assert_eq!(kind("everfeed_build"), "info");
    let build = &family("everfeed_build")["samples"][0];
    assert_eq!(build[1]["version"], env!("CARGO_PKG_VERSION"));
    let events = &family("everfeed_events")["samples"][0];
    assert_eq!((&events[0], &events[2]), (&json!("everfeed_events_total"), &json!(1)));
    // However much there is to tell of, it is told in as many lines.
    let samples: usize = families.iter().map(|family| family["samples"].as_array().expect("samples").len()).sum();
    assert!((300..900).contains(&samples), "{samples}");
}
