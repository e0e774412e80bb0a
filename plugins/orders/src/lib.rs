//! Cleans orders, as JSON: `void` ones are dropped, the others get `total_cents`
//! and go out as they came otherwise (with a note, or whatever else they have).
use millrace_sdk::{Message, Output, Result, Source, Transform, Verdict};
use serde::{Deserialize, Deserializer, de::Error};
use std::borrow::Cow;

#[derive(Deserialize)]
#[expect(dead_code, reason = "all is checked, little is used")]
struct Order<'a> {
    id: u64,
    #[serde(borrow)]
    customer: Cow<'a, str>,
    amount: f64,
    #[serde(borrow)]
    currency: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(default, deserialize_with = "refuse")] // A second one would leave readers to choose.
    total_cents: (),
}
fn refuse<'de, D: Deserializer<'de>>(_: D) -> std::result::Result<(), D::Error> {
    Err(D::Error::custom("`total_cents` is already there"))
}

/// The order as it goes out, or `None` where it is void.
pub fn clean(value: &[u8]) -> Result<Option<Vec<u8>>> {
    let text = std::str::from_utf8(value).map_err(|error| format!("not UTF-8: {error}"))?;
    let order: Order<'_> = serde_json::from_str(text).map_err(|error| match error.is_data() {
        // Without the place, which differs from record to record: equal reasons group.
        true => {
            let told = error.to_string();
            let what = told
                .rsplit_once(" at line ")
                .map_or(&*told, |(what, _)| what);
            format!("not an order: {what}")
        }
        false => format!("not JSON: {error}"),
    })?;
    let open = text.trim_end().strip_suffix('}'); // serde takes an array of the fields as well.
    let open = open.ok_or("not an order: an array")?.as_bytes();
    if order.status == "void" {
        return Ok(None);
    }
    let cents = (order.amount * 100.0).round(); // Half away from zero.
    if cents.abs() > 2f64.powi(53) {
        return Err(format!("not an order: amount {:e} is too large", order.amount).into());
    }
    let mut digits = itoa::Buffer::new();
    #[expect(clippy::cast_possible_truncation, reason = "whole, and checked")]
    let cents = digits.format(cents as i64).as_bytes();
    // The text is kept, not written anew: nothing of it changes, and it's faster.
    Ok(Some([open, b",\"total_cents\":", cents, b"}"].concat()))
}

pub struct Orders;
impl Transform for Orders {
    fn new(_config: &str) -> Result<Self> {
        Ok(Orders)
    }
    fn transform(&mut self, message: Message, _source: &Source<'_>) -> Result<Verdict> {
        Ok(clean(message.value_bytes()?)?.map(Output::value).into())
    }
}
millrace_sdk::plugin!(Orders);

#[cfg(test)]
mod tests;
