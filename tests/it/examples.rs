//! The aggregators of the examples over the sample of a wholesaler's business: what they answer is what a direct sum
//! over its lines comes to. And the story that the reporting one is for.

#[path = "../../examples/recommend.rs"]
#[expect(dead_code, reason = "as a program it has a main of its own")]
mod recommend;
#[path = "../../examples/reporting.rs"]
#[expect(dead_code, reason = "as a program it has a main of its own")]
mod reporting;
#[path = "../../examples/search.rs"]
#[expect(dead_code, reason = "as a program it has a main of its own")]
mod search;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use everfeed::client::rusqlite::Connection;
use tempfile::TempDir;

use crate::retail::{OrderLine, post_sample, sample};
use crate::support::TestServer;

/// A server with the sample, and a directory for what is made of it.
struct Setting {
    url: String,
    directory: TempDir,
    _server: TestServer,
    lines: Vec<OrderLine>,
}

impl Setting {
    async fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let server = TestServer::start(&directory.path().join("data"), &[]);
        let url = format!("http://{}", server.address);
        let producers = url.clone();
        tokio::task::spawn_blocking(move || post_sample(&producers)).await.expect("all is posted");
        Self { url, directory, _server: server, lines: sample() }
    }

    /// The lines of orders and cancellations that are about goods.
    fn goods(&self) -> impl Iterator<Item = &OrderLine> {
        self.lines
            .iter()
            .filter(|line| line.stream != 2 && line.product.starts_with(|first: char| first.is_ascii_digit()))
    }
}

#[tokio::test]
async fn search_finds_products_and_invoices_by_all_of_the_words() {
    let setting = Setting::new().await;
    let store = setting.directory.path().join("search.sqlite");
    let ask = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        search::ask(&Connection::open(&store).expect("it is there"), &words).expect("it can be asked")
    };
    // Once more, and it goes on where it was: at the end.
    for _ in 0..2 {
        search::catch_up(&setting.url, &store).await.expect("it can be read");

        let search::Answer { products, invoices } = ask(&["red", "retro"]);
        assert_eq!((products.len(), invoices.len()), (5, 5));
        for product in products {
            assert!(product.description.contains("RED") && product.description.contains("RETRO"), "{product:?}");
            let lines: Vec<_> = setting.goods().filter(|line| line.product == product.code).collect();
            let orders: BTreeSet<_> = lines.iter().filter(|line| line.stream == 0).map(|line| &line.invoice).collect();
            let pieces: i64 = lines.iter().map(|line| line.quantity).sum();
            assert_eq!((product.orders, product.pieces), (orders.len() as i64, pieces), "{}", product.code);
        }
        for found in invoices {
            let lines = setting.goods().filter(|line| line.invoice == found.number);
            let text: String = lines.map(|line| &*line.description).collect::<Vec<_>>().join(" ");
            assert!(text.contains("RED") && text.contains("RETRO"), "{found:?}: {text}");
        }

        let cancellation = setting.goods().find(|line| line.invoice.starts_with('C')).expect("there is one");
        let found = ask(&[&cancellation.invoice]).invoices;
        assert_eq!(found.len(), 1);
        assert_eq!((&found[0].number, &found[0].day), (&cancellation.invoice, &cancellation.day));

        // What is typed is never an operator.
        assert_eq!(ask(&["unheard", "OR", "red\"("]), search::Answer { products: Vec::new(), invoices: Vec::new() });
    }
}

#[tokio::test]
async fn what_is_recommended_was_bought_together() {
    let setting = Setting::new().await;
    let mut baskets: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in setting.goods().filter(|line| line.stream == 0 && 0 < line.quantity) {
        baskets.entry(&line.invoice).or_default().insert(&line.product);
    }
    // How many of the orders that have a product (or, with "", of all) have each.
    let orders_with = |product: &str| {
        let mut orders: BTreeMap<&str, usize> = BTreeMap::new();
        for basket in baskets.values().filter(|basket| product.is_empty() || basket.contains(product)) {
            basket.iter().for_each(|code| *orders.entry(code).or_default() += 1);
        }
        orders
    };
    let alone = orders_with("");

    let store = recommend::catch_up(&setting.url, &setting.directory.path().join("recommend")).await;
    let store = store.expect("it can be read");
    for product in ["22423", "85123A"] {
        let mut expected: Vec<(f64, &str, usize)> = orders_with(product)
            .into_iter()
            .filter(|(code, together)| *code != product && 5 <= *together)
            .map(|(code, together)| (together as f64 / ((alone[product] * alone[code]) as f64).sqrt(), code, together))
            .collect();
        expected.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));

        let companions = recommend::companions(&store, product).expect("it can be asked");
        assert_eq!(companions.len(), 8);
        for (companion, (likeness, code, together)) in companions.iter().zip(expected) {
            assert_eq!((&*companion.code, companion.together), (code, together));
            assert!((companion.likeness - likeness).abs() < 1e-9, "{companion:?}: {likeness}");
            assert!(setting.goods().any(|line| line.product == code && line.description == companion.description));
        }
    }
    assert_eq!(recommend::companions(&store, "unheard of").expect("it can be asked"), []);
}

#[tokio::test]
async fn version_2_of_the_report_takes_the_place_of_version_1_and_has_the_right_sums() {
    let setting = Setting::new().await;
    let store = setting.directory.path().join("reporting");
    let ask = |question: &str| {
        let mut rows = reporting::ask(&store, question).expect("it can be asked");
        rows.remove(0);
        rows
    };

    reporting::catch_up(&setting.url, &store, reporting::Version1).await.expect("it can be read");
    let mistaken: i64 = setting.lines.iter().map(|line| line.quantity.abs() * line.thousandths).sum();
    assert_eq!(ask("SELECT SUM(thousandths) FROM revenue"), [[mistaken.to_string()]]);

    reporting::catch_up(&setting.url, &store, reporting::Version2).await.expect("it can be read");
    let mut expected: BTreeMap<(&str, &str), (i64, BTreeSet<&str>, i64)> = BTreeMap::new();
    for line in setting.lines.iter().filter(|line| line.stream != 2) {
        let (thousandths, orders, _) = expected.entry((&line.country, &line.day)).or_default();
        *thousandths += line.quantity * line.thousandths;
        if line.stream == 0 {
            orders.insert(&line.invoice);
        }
    }
    for line in setting.goods() {
        expected.entry((&line.country, &line.day)).or_default().2 += line.quantity;
    }
    let expected: Vec<Vec<String>> = expected
        .into_iter()
        .map(|((country, day), (thousandths, orders, pieces))| {
            let numbers = [thousandths, orders.len() as i64, pieces].map(|number| number.to_string());
            [vec![country.to_string(), day.to_string()], numbers.to_vec()].concat()
        })
        .collect();
    let rows = ask("SELECT country, day, thousandths, orders, pieces FROM revenue ORDER BY country, day");
    assert_eq!(rows, expected);
    let versions: Vec<_> =
        std::fs::read_dir(&store).expect("it is there").flatten().map(|entry| entry.file_name()).collect();
    assert!(!versions.contains(&"v1".into()), "{versions:?}");
}

#[test]
fn the_story_of_the_readme_is_true() {
    let everfeed = Path::new(env!("CARGO_BIN_EXE_everfeed"));
    let programs = everfeed.parent().expect("it lies in a directory");
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    // With the features of the program that is there, lest it be built anew under the feet of other tests.
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--locked", "--examples", "--features", "failpoints"]).current_dir(project);
    if programs.ends_with("release") {
        build.arg("--release");
    }
    assert!(build.status().expect("cargo is there").success(), "the examples can be built");

    let directory = tempfile::tempdir().expect("a directory");
    let story = Command::new("timeout")
        .args(["120", "examples/story"])
        .current_dir(project)
        .env("PROGRAMS", programs)
        .env("TMPDIR", directory.path())
        .output()
        .expect("it can be run");
    let (output, errors) = (String::from_utf8_lossy(&story.stdout), String::from_utf8_lossy(&story.stderr));
    assert!(story.status.success(), "{output}{errors}");
    // All that it says was compared by the script itself; what it does not compare is seen here.
    for told in ["RED RETROSPOT", "REGENCY TEACUP", "orders  pieces", "from nginx, 0 from Everfeed"] {
        assert!(output.contains(told), "{told}: {output}{errors}");
    }
    let left = std::fs::read_dir(directory.path()).expect("it is there").count();
    assert_eq!(left, 0, "it leaves nothing behind");
}
