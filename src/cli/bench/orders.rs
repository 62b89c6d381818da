//! Order documents: JSON that differs as real orders do, so that compression is neither flattered nor starved.

use std::fmt::Write;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};

use uuid::Uuid;

/// As many different documents are made. Compression looks back at most 512 KiB, and they are sent in turn,
/// so a document never comes again while the last one can help to compress it.
const DOCUMENTS: usize = 16_384;

const COUNTRIES: &[&str] =
    &["United Kingdom", "Germany", "France", "EIRE", "Spain", "Netherlands", "Belgium", "Switzerland", "Portugal"];
const LOOKS: &[&str] = &[
    "WHITE",
    "RED",
    "VINTAGE",
    "RETROSPOT",
    "SMALL",
    "LARGE",
    "HANGING",
    "WOODEN",
    "GLASS",
    "METAL",
    "KNITTED",
    "IVORY",
    "PINK",
    "ASSORTED",
    "CERAMIC",
    "SILVER",
];
const MOTIFS: &[&str] = &[
    "HEART",
    "STAR",
    "UNION FLAG",
    "PAISLEY",
    "POLKADOT",
    "OWL",
    "BIRD",
    "ROSE",
    "CHRISTMAS",
    "PARTY",
    "ALPHABET",
    "STRAWBERRY",
    "CIRCUS",
    "WOODLAND",
    "SKULL",
    "DOLLY GIRL",
];
const THINGS: &[&str] = &[
    "T-LIGHT HOLDER",
    "LANTERN",
    "COAT HANGER",
    "HOT WATER BOTTLE",
    "LUNCH BOX",
    "CAKE STAND",
    "BUNTING",
    "JUMBO BAG",
    "NAPKINS",
    "TEA TOWEL",
    "DOORMAT",
    "PICTURE FRAME",
    "JEWELLERY BOX",
    "CUSHION COVER",
    "ALARM CLOCK",
    "WRAP",
];

/// The types that order events have.
pub(crate) const EVENT_TYPES: &[&str] = &["OrderPlaced", "OrderPaid", "OrderShipped", "OrderCancelled"];

/// SplitMix64: small, fast, and the same for the same seed.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Another one in every process, so that ids do not come again when one server is measured twice.
    pub(crate) fn seeded() -> Self {
        Self::new(RandomState::new().build_hasher().finish())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// A random UUID (version 4).
    pub(crate) fn uuid(&mut self) -> Uuid {
        let bytes = (u128::from(self.next()) << 64 | u128::from(self.next())).to_be_bytes();
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    fn one_of(&mut self, words: &[&'static str]) -> &'static str {
        words[self.below(words.len() as u64) as usize]
    }
}

/// Documents to be sent in turn, by whoever takes the next one.
pub(crate) struct Orders {
    documents: Vec<Vec<u8>>,
    next: AtomicUsize,
}

impl Orders {
    /// Documents of about this many bytes.
    pub(crate) fn new(bytes: usize, random: &mut Random) -> Self {
        let documents = (0..DOCUMENTS).map(|_| order(bytes, random).into_bytes()).collect();
        Self { documents, next: AtomicUsize::new(0) }
    }

    /// The next document, and a type that goes with it.
    pub(crate) fn next(&self) -> (&'static str, &[u8]) {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        (EVENT_TYPES[index % EVENT_TYPES.len()], &self.documents[index % DOCUMENTS])
    }
}

/// One order: random ids, people, times and lines, then a note that brings it to its length.
fn order(bytes: usize, random: &mut Random) -> String {
    let mut text = String::with_capacity(bytes + 128);
    let customer = 12_346 + random.below(5_942);
    write!(
        text,
        r#"{{"orderId":"{}","number":{},"placedAt":"2025-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z","customer":{{"id":{customer},"email":"customer{customer}@example.com","country":"{}"}},"currency":"GBP","lines":["#,
        random.uuid(),
        536_365 + random.below(45_222),
        1 + random.below(12),
        1 + random.below(28),
        8 + random.below(12),
        random.below(60),
        random.below(60),
        random.below(1_000),
        random.one_of(COUNTRIES),
    )
    .expect("a string takes all that is written");
    let mut total_pence = 0;
    for line in 0.. {
        let (quantity, pence) = (1 + random.below(24), 19 + random.below(1_500));
        write!(
            text,
            r#"{}{{"sku":"{}{}","description":"{} {} {}","quantity":{quantity},"unitPrice":{}.{:02}}}"#,
            if line > 0 { "," } else { "" },
            10_000 + random.below(80_000),
            (b'A' + random.below(26) as u8) as char,
            random.one_of(LOOKS),
            random.one_of(MOTIFS),
            random.one_of(THINGS),
            pence / 100,
            pence % 100,
        )
        .expect("a string takes all that is written");
        total_pence += quantity * pence;
        if text.len() + 180 > bytes {
            break;
        }
    }
    write!(text, r#"],"total":{}.{:02},"note":""#, total_pence / 100, total_pence % 100)
        .expect("a string takes all that is written");
    while text.len() + 2 < bytes {
        text.push_str(random.one_of(MOTIFS));
        text.push(' ');
    }
    text.truncate(text.len().min(bytes.max(2) - 2).max(text.rfind(r#""note":""#).map_or(0, |at| at + 8)));
    text.push_str("\"}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_json_of_the_length_asked_for_and_all_different() {
        let mut random = Random::new(7);
        let orders: Vec<String> = (0..500).map(|_| order(1_024, &mut random)).collect();
        for order in &orders {
            let document: serde_json::Value = serde_json::from_str(order).expect("it is JSON");
            assert!(document["lines"].as_array().is_some_and(|lines| lines.len() > 3));
            assert_eq!(order.len(), 1_024);
        }
        let distinct: std::collections::HashSet<_> = orders.iter().collect();
        assert_eq!(distinct.len(), orders.len());
        serde_json::from_str::<serde_json::Value>(&order(10, &mut random)).expect("a short one is JSON too");
    }

    #[test]
    fn ids_are_random_and_version_4() {
        let mut random = Random::seeded();
        let ids: std::collections::HashSet<_> = (0..1_000).map(|_| random.uuid()).collect();
        assert_eq!(ids.len(), 1_000);
        assert!(ids.iter().all(|id| id.get_version_num() == 4));
    }
}
