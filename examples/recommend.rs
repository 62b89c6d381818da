//! A recommending aggregator: what was bought together with a product.
//!
//! ```sh
//! cargo run --release --example recommend -- 85123A
//! ```
//!
//! It follows the orders into a store of its own shape: keys in their order, in sled. There is no table of pairs, of
//! which there would be millions. An order is kept as the products in it, and a product as the orders that it is in; so
//! a question is a short walk from a product to its orders, and from these to what else is in them.
#![allow(clippy::print_stdout, reason = "an example is a program, and this is what it says")]

mod shop;

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use clap::Parser;
use everfeed::client::{Aggregate, Aggregator, Event, Failure, Follower, Sled, SledReader, SledState};

use shop::Invoice;

#[derive(Parser)]
#[command(about = "Says what was bought together with a product, from the feed of the orders")]
struct Arguments {
    /// The code of a product, such as `85123A`.
    product: String,
    /// Where the feed is: Everfeed itself, or a cache in front of it.
    #[arg(long, default_value = "http://127.0.0.1:2113")]
    server: String,
    /// The directory of the store.
    #[arg(long, default_value = "aggregators/recommend")]
    store: PathBuf,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let Arguments { product, server, store } = Arguments::parse();
    let baskets = catch_up(&server, &store).await?;
    println!("Bought with {product} {}", description(&baskets, &product)?);
    for Companion { code, description, together, likeness } in companions(&baskets, &product)? {
        println!("{code:>8}  {description:<36}  {together:>5} times, likeness {likeness:.2}");
    }
    Ok(())
}

/// Reads all the orders there are, and ends. What they came to can be read while it goes on, too.
pub(crate) async fn catch_up(server: &str, store: &Path) -> Result<SledReader, Failure> {
    let store = Sled::open(store)?;
    let reader = store.reader();
    let orders = Follower::of(&format!("{server}/streams/orders")).ends_at_the_end();
    Aggregator::of(store, Baskets).follow_as("orders", orders).run().await?;
    Ok(reader)
}

/// What is made of orders. Every key that there is:
///
/// | key | value |
/// |---|---|
/// | `product/{code}` | its description |
/// | `order/{number}` | the codes of the products in it, one a line |
/// | `bought/{code}/{number of the order}` | nothing: the key says it all |
struct Baskets;

impl Aggregate<Sled> for Baskets {
    fn apply(&self, store: &mut SledState<'_>, event: &Event) -> Result<(), Failure> {
        let order: Invoice = event.json()?;
        let goods = order.lines.iter().filter(|line| line.is_goods() && 0 < line.quantity);
        let mut codes = BTreeSet::new();
        for line in goods {
            let product = format!("product/{}", line.stock_code);
            if codes.insert(&*line.stock_code) && store.get(product.as_bytes())?.is_none() {
                store.put(product.as_bytes(), line.description.clone())?;
            }
        }
        for code in &codes {
            store.put(format!("bought/{code}/{}", order.number).as_bytes(), "")?;
        }
        let codes: Vec<&str> = codes.into_iter().collect();
        store.put(format!("order/{}", order.number).as_bytes(), codes.join("\n"))?;
        Ok(())
    }
}

/// A product that goes with another.
#[derive(Debug, PartialEq)]
pub(crate) struct Companion {
    pub(crate) code: String,
    pub(crate) description: String,
    /// How many orders have both.
    pub(crate) together: usize,
    /// 1 if the two are only ever bought together, 0 if never: the cosine of the angle between the orders of the one and
    /// the orders of the other. Unlike a mere count it does not favour what is in every basket.
    pub(crate) likeness: f64,
}

/// How many companions an answer names.
const COMPANIONS_MAX: usize = 8;

/// What was seen together fewer times than this is chance.
const TOGETHER_MIN: usize = 5;

/// What goes best with a product; nothing if nobody knows it.
pub(crate) fn companions(store: &SledReader, product: &str) -> Result<Vec<Companion>, Failure> {
    let orders_with = |code: &str| store.scan(format!("bought/{code}/").as_bytes());
    let orders = orders_with(product)?;
    let mut seen: HashMap<String, usize> = HashMap::new();
    for (bought, _) in &orders {
        let number = bought.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let codes = store.get(&[b"order/", number].concat())?.unwrap_or_default();
        for code in str::from_utf8(&codes)?.lines().filter(|code| *code != product) {
            *seen.entry(code.to_string()).or_default() += 1;
        }
    }
    let mut companions = Vec::new();
    for (code, together) in seen.into_iter().filter(|(_, together)| TOGETHER_MIN <= *together) {
        let likeness = together as f64 / (orders.len() as f64 * orders_with(&code)?.len() as f64).sqrt();
        companions.push(Companion { code, description: String::new(), together, likeness });
    }
    companions.sort_by(|a, b| b.likeness.total_cmp(&a.likeness).then_with(|| a.code.cmp(&b.code)));
    companions.truncate(COMPANIONS_MAX);
    for companion in &mut companions {
        companion.description = description(store, &companion.code)?;
    }
    Ok(companions)
}

fn description(store: &SledReader, code: &str) -> Result<String, Failure> {
    let description = store.get(format!("product/{code}").as_bytes())?.unwrap_or_default();
    Ok(String::from_utf8(description.to_vec())?)
}
