//! What the shop's services publish, as those who listen read it. There is more in the documents than this.
#![allow(dead_code, reason = "each of the examples reads what it needs")]

use serde::Deserialize;

/// An order, a cancellation, a correction of the stock or of a debt.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Invoice {
    pub(crate) number: String,
    /// By the shop's own clock: `2010-12-01T08:26:00Z`.
    pub(crate) date: String,
    /// Empty where nobody is known.
    #[serde(default)]
    pub(crate) customer: String,
    pub(crate) country: String,
    pub(crate) lines: Vec<Line>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Line {
    pub(crate) stock_code: String,
    pub(crate) description: String,
    /// In pieces; negative where goods come back.
    pub(crate) quantity: i64,
    /// In thousandths of a pound: some prices have a tenth of a penny, and sums of integers are exact.
    #[serde(deserialize_with = "thousandths")]
    pub(crate) unit_price: i64,
}

impl Invoice {
    /// `2010-12-01`
    pub(crate) fn day(&self) -> &str {
        self.date.split('T').next().unwrap_or_default()
    }
}

impl Line {
    /// Goods have numbers; postage, discounts and fees have words.
    pub(crate) fn is_goods(&self) -> bool {
        self.stock_code.starts_with(|first: char| first.is_ascii_digit())
    }
}

/// `"2.55"` is 2550: exact, and an error where it could not be.
fn thousandths<'de, D: serde::Deserializer<'de>>(price: D) -> Result<i64, D::Error> {
    let text = String::deserialize(price)?;
    let (sign, digits) = text.strip_prefix('-').map_or((1, &*text), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let number = format!("{whole}{fraction:0<3}").parse::<i64>().ok().filter(|_| fraction.len() <= 3);
    number.map(|number| sign * number).ok_or_else(|| serde::de::Error::custom(format!("no price: {text}")))
}

/// 2550 is `2.550`.
pub(crate) fn pounds(thousandths: i64) -> String {
    let sign = if thousandths < 0 { "-" } else { "" };
    format!("{sign}{}.{:03}", thousandths.unsigned_abs() / 1000, thousandths.unsigned_abs() % 1000)
}
