//! The proxy itself, and the fault of transactions without KIP-890 that it is
//! there to show: what guards `host` against it must not rest on librdkafka.

use std::sync::mpsc;
use std::time::Duration;

use millrace_tests::proxy::Api;
use millrace_tests::topics::unique;
use millrace_tests::{Client, Isolation, Record, eventually_ok, shared_broker};

use crate::pipeline::{SOON, texts};

#[test]
fn what_goes_through_a_proxy_arrives() {
    let broker = shared_broker();
    let client = Client::new(&broker.proxy().address());
    let topic = unique("proxied");
    client.create_topic(&topic, 2);
    let large = vec![b'x'; 900_000];
    client.produce(
        &topic,
        [Record::value(&large), Record::value("1")].map(|r| r.to_partition(0)),
    );
    let read = client.read_all(&topic);
    assert_eq!(read[0].value.as_deref(), Some(&large[..]));
    assert_eq!(texts(&read[1..]), ["1"]);
    assert_eq!(broker.client().read_all(&topic), read);
}

/// A transaction's end is answered before it stands in each partition.
#[track_caller]
fn wait_for_texts(client: &Client, topic: &str, wanted: &[&str]) {
    eventually_ok(SOON, "what is committed", || {
        let read = client.read_all(topic);
        match texts(&read) {
            found if found == wanted => Ok(()),
            found => Err(format!("{found:?}")),
        }
    });
}

/// A connection breaks while the end of a transaction is on its way, the client
/// sends it again and is told that all is well; then the first one arrives, in
/// the next transaction, and nothing in it says that it is not of that one.
#[test]
fn plain_librdkafka_shows_an_aborted_record_where_the_end_of_the_transaction_before_comes_late() {
    let broker = shared_broker();
    let proxy = broker.proxy();
    let client = broker.client();
    let topic = unique("late-end");
    client.create_topic(&topic, 1);
    let producer = Client::new(&proxy.address()).transactional("late");

    producer.begin();
    producer.produce(&topic, [Record::value("committed")]);
    let trap = proxy.hold(|request| request.is(Api::END_TXN, "late"));
    assert_eq!(producer.commit(), Ok(()));
    let held = trap.wait(SOON);
    wait_for_texts(&client, &topic, &["committed"]);

    producer.begin();
    producer.produce(&topic, [Record::value("aborted")]);
    wait_for_texts(&client, &topic, &["committed"]);
    assert_eq!(held.let_through(), Some(0), "the broker refused it");
    let aborted = producer.abort();
    eprintln!("the abort says: {aborted:?}");
    wait_for_texts(&client, &topic, &["committed", "aborted"]);
}

/// The epoch of a new producer tells the broker which transaction an end is of.
#[test]
fn an_end_that_comes_late_is_refused_once_a_new_producer_has_begun() {
    let broker = shared_broker();
    let proxy = broker.proxy();
    let client = broker.client();
    let topic = unique("late-end");
    client.create_topic(&topic, 1);
    let proxied = Client::new(&proxy.address());
    let producer = proxied.transactional("new");

    producer.begin();
    producer.produce(&topic, [Record::value("committed")]);
    let trap = proxy.hold(|request| request.is(Api::END_TXN, "new"));
    assert_eq!(producer.commit(), Ok(()));
    let held = trap.wait(SOON);

    let producer = proxied.transactional("new");
    producer.begin();
    producer.produce(&topic, [Record::value("aborted")]);
    assert_ne!(held.let_through(), Some(0));
    assert_eq!(producer.abort(), Ok(()));
    wait_for_texts(&client, &topic, &["committed"]);
    let all = client.read_all_with(&topic, Isolation::Uncommitted);
    assert_eq!(texts(&all), ["committed", "aborted"]);
}

#[test]
fn a_request_can_be_waited_for_and_something_done_before_it() {
    let broker = shared_broker();
    let proxy = broker.proxy();
    let client = broker.client();
    let topic = unique("before");
    client.create_topic(&topic, 1);
    let producer = Client::new(&proxy.address()).transactional("before");

    producer.begin();
    producer.produce(&topic, [Record::value("x")]);
    let (seen, seen_before) = mpsc::channel();
    let reader = client.clone();
    let name = topic.clone();
    proxy.before(
        |request| request.is(Api::END_TXN, "before"),
        move || {
            let _ = seen.send(reader.read_all(&name).len());
        },
    );
    assert_eq!(producer.commit(), Ok(()));
    assert_eq!(seen_before.recv_timeout(Duration::ZERO), Ok(0));
    wait_for_texts(&client, &topic, &["x"]);
}
