//! The boundary between host and guest: what a batch costs through
//! `plugins/passthrough` (verdicts only come back) and through `plugins/orders`
//! (JSON in, JSON out), by batch and value size. `make plugins` first.

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use millrace_host::config::Plugin;
use millrace_host::pipeline::ports::Transform as _;
use millrace_host::plugin::{Component, Engine, Instance, Kind};
use millrace_host::record::{Header, Record, Timestamp, TopicPartition};

struct Plain {
    offset: i64,
    value: Vec<u8>,
}

impl Record for Plain {
    fn key(&self) -> Option<&[u8]> {
        Some(b"c00042")
    }

    fn value(&self) -> Option<&[u8]> {
        Some(&self.value)
    }

    fn headers(&self) -> Vec<Header<'_>> {
        Vec::new()
    }

    fn offset(&self) -> i64 {
        self.offset
    }

    fn timestamp(&self) -> Timestamp {
        Timestamp::Create(1_764_000_000_000 + self.offset)
    }
}

/// An order of about `size` bytes.
fn order(offset: i64, size: usize) -> Vec<u8> {
    let before = format!(
        r#"{{"id":{offset},"customer":"c00042","amount":12.50,"currency":"EUR","status":"paid","note":""#
    );
    let note = "x".repeat(size.saturating_sub(before.len() + 2));
    format!("{before}{note}\"}}").into_bytes()
}

fn instance(plugin: &str) -> Instance {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target")),
        PathBuf::from,
    );
    let settings = Plugin {
        path: target.join(format!("plugins/{plugin}.wasm")),
        config: String::new(),
        allow: Vec::new(),
        memory: 256 << 20,
        time: Duration::from_secs(1),
        call: Duration::from_secs(30),
        watch: false,
        canary: None,
        shadow: None,
    };
    let engine = Engine::new().expect("an engine");
    let component =
        Component::load(&engine, &settings, Kind::Transform).expect("run `make plugins` first");
    Instance::new(&Arc::new(component)).expect("an instance")
}

fn boundary(criterion: &mut Criterion) {
    let partition = TopicPartition::new("orders", 0);
    for plugin in ["passthrough", "orders"] {
        let mut instance = instance(plugin);
        for (size, name) in [(100, "100B"), (10_000, "10KB")] {
            let mut group = criterion.benchmark_group(format!("{plugin}/{name}"));
            for batch in [1, 10, 100, 1000] {
                let records: Vec<Plain> = (0..batch)
                    .map(|offset| Plain {
                        offset,
                        value: order(offset, size),
                    })
                    .collect();
                group.throughput(Throughput::Elements(records.len() as u64));
                group.bench_function(BenchmarkId::from_parameter(batch), |bencher| {
                    bencher.iter(|| {
                        instance
                            .process(black_box(&partition), black_box(&records))
                            .expect("verdicts")
                    });
                });
            }
            group.finish();
        }
    }
}

criterion_group!(benches, boundary);
criterion_main!(benches);
