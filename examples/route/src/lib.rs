//! Sends each order to the topic of its currency, `PREFIX-eur` for one in EUR,
//! keyed by its customer. The prefix is the plugin's configuration.

use millrace_sdk::{Message, Output, Result, Source, Transform, Verdict};
use serde::Deserialize;

#[derive(Deserialize)]
struct Order<'a> {
    customer: &'a str,
    currency: &'a str,
}

struct Route {
    prefix: String,
}

impl Transform for Route {
    fn new(config: &str) -> Result<Self> {
        if config.is_empty() {
            return Err("plugin.config must hold the prefix of the topics".into());
        }
        Ok(Route {
            prefix: config.to_owned(),
        })
    }

    fn transform(&mut self, message: Message, _source: &Source<'_>) -> Result<Verdict> {
        let order: Order<'_> = serde_json::from_slice(message.value_bytes()?)?;
        let topic = format!("{}-{}", self.prefix, order.currency.to_lowercase());
        Ok(Output::source()
            .with_key(order.customer)
            .to_topic(topic)
            .into())
    }
}

millrace_sdk::plugin!(Route);

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: Source<'static> = Source {
        topic: "orders",
        partition: 0,
    };

    fn route(value: &str) -> Result<Verdict> {
        Route::new("orders")?.transform(Message::new(value), &SOURCE)
    }

    #[test]
    fn an_order_goes_to_its_currencys_topic_under_its_customer() {
        let verdict = route(r#"{"id":1,"customer":"c1","currency":"EUR"}"#).unwrap();
        let output = Output::source().with_key("c1").to_topic("orders-eur");
        assert_eq!(verdict, output.into());
    }

    #[test]
    fn what_is_no_order_fails_with_the_reason() {
        let error = route(r#"{"id":1}"#).unwrap_err();
        assert!(error.to_string().contains("missing field `customer`"));
    }

    #[test]
    fn a_missing_prefix_refuses_the_plugin() {
        assert!(Route::new("").is_err());
    }
}
