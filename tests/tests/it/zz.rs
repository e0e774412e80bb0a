use millrace_tests::*;
use std::time::Instant;
#[test]
fn timing() {
    let mut t = Instant::now();
    let mut p = |s: &str| {
        eprintln!("{s} {:?}", t.elapsed());
        t = Instant::now();
    };
    let mut b = Broker::start();
    p("start");
    let c = b.client();
    c.create_topic("x", 1);
    p("topic");
    for _ in 0..3 {
        c.produce("x", [Record::value("1")]);
        p("produce");
    }
    for _ in 0..3 {
        c.produce_with(
            &[("enable.idempotence", "false")],
            "x",
            [Record::value("1")],
        );
        p("produce plain");
    }
    for _ in 0..3 {
        c.read_all("x");
        p("read");
    }
    for _ in 0..3 {
        c.committed("g", "x");
        p("committed");
    }
    b.stop();
    p("stop");
    b.restart();
    p("restart");
}
