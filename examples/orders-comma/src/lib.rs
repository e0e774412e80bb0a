//! The orders job, mended: an amount may also be a text with a decimal comma,
//! such as "12,50". With it the dead letters of `plugins/orders` that such an
//! amount made go through (README.md, "When a record fails").

use millrace_sdk::{Message, Output, Result, Source, Transform, Verdict};
use serde_json::{Map, Value};

struct OrdersComma;

impl Transform for OrdersComma {
    fn new(_config: &str) -> Result<Self> {
        Ok(OrdersComma)
    }

    fn transform(&mut self, message: Message, _source: &Source<'_>) -> Result<Verdict> {
        let mut order: Map<String, Value> = serde_json::from_slice(message.value_bytes()?)?;
        if order.get("status").ok_or("an order has a status")? == "void" {
            return Ok(Verdict::Drop);
        }
        let amount = amount(order.get("amount").unwrap_or(&Value::Null))?;
        #[expect(clippy::cast_possible_truncation, reason = "whole, and checked")]
        let cents = match (amount * 100.0).round() {
            cents if cents.abs() <= 2f64.powi(53) => cents as i64,
            _ => return Err(format!("amount {amount:e} is too large").into()),
        };
        order.insert("amount".to_owned(), amount.into());
        order.insert("total_cents".to_owned(), cents.into());
        Ok(Output::value(serde_json::to_vec(&order)?).into())
    }
}

fn amount(value: &Value) -> Result<f64> {
    let amount = match value {
        Value::String(text) => text.replace(',', ".").parse().ok(),
        value => value.as_f64(),
    };
    Ok(amount.ok_or_else(|| format!("{value} is no amount"))?)
}

millrace_sdk::plugin!(OrdersComma);

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: Source<'static> = Source {
        topic: "orders",
        partition: 0,
    };

    fn clean(order: &str) -> Result<Verdict> {
        OrdersComma.transform(Message::new(order), &SOURCE)
    }

    #[test]
    fn an_amount_may_have_a_point_or_a_comma() {
        for amount in ["12.5", "\"12,50\"", "\"12.5\""] {
            let verdict = clean(&format!(r#"{{"id":1,"amount":{amount},"status":"paid"}}"#));
            let expected = r#"{"id":1,"amount":12.5,"status":"paid","total_cents":1250}"#;
            assert_eq!(verdict.unwrap(), Output::value(expected).into(), "{amount}");
        }
    }

    #[test]
    fn void_orders_are_dropped_and_others_need_an_amount() {
        assert_eq!(clean(r#"{"status":"void"}"#).unwrap(), Verdict::Drop);
        for order in [
            "{}",
            r#"{"status":"paid"}"#,
            r#"{"status":"paid","amount":"a lot"}"#,
        ] {
            assert!(clean(order).is_err(), "{order}");
        }
    }
}
