# The commands of the README, and what they need. Each installs what it lacks
# (.ci/setup) and builds into CARGO_TARGET_DIR, else target. `make help` lists
# the targets.

TARGET := $(or $(CARGO_TARGET_DIR),target)
WASM := $(TARGET)/wasm32-wasip2/plugin

# rustup may have been installed by this very run.
export PATH := $(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)

# A plugin is a crate in plugins/ or examples/ that is called like its folder, or a folder
# of examples/ with a Makefile, in another language;
# a guest is one file in tests/guests/examples, or of the conformance suite.
PLUGINS := $(notdir $(patsubst %/Cargo.toml,%,$(wildcard plugins/*/Cargo.toml examples/*/Cargo.toml)))
OTHERS := $(notdir $(patsubst %/Makefile,%,$(wildcard examples/*/Makefile)))
GUESTS := $(basename $(notdir $(wildcard tests/guests/examples/*.rs))) \
	$(addprefix conformance_rust_,transform deserializer serializer)

.PHONY: help demo build plugins rust-plugins guests test bench clean setup setup-test kafka registry python
.DEFAULT_GOAL := help

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

demo: build rust-plugins ## the main job with nothing installed: an embedded broker, made-up orders
	$(TARGET)/release/host demo

build: setup ## the host: target/release/host
	cargo build --release -p millrace-host

plugins: build rust-plugins ## every plugin, in every language: target/plugins/NAME.wasm
	@.ci/languages $(TARGET) $(TARGET)/release/host

rust-plugins: setup
	cargo build --profile plugin --target wasm32-wasip2 $(addprefix -p ,$(PLUGINS))
	$(call collect,plugins,$(WASM),$(PLUGINS),$(OTHERS))

guests: setup ## the guests of the tests: target/guests/NAME.wasm
	cargo build --profile plugin --target wasm32-wasip2 -p millrace-test-guests --examples
	$(call collect,guests,$(WASM)/examples,$(GUESTS))

test: setup-test rust-plugins guests kafka registry python ## all tests, against a real Kafka and schema registry
# All in one build, the host that the tests start too: built alone, it takes its
# dependencies with other features, and wasmtime would be compiled twice.
	cargo build --workspace --all-targets
	@.ci/languages $(TARGET) $(TARGET)/debug/host test
	cargo test --workspace

bench: setup-test plugins guests kafka registry ## the benchmark table, against the same Kafka
	cargo build --release -p millrace-host -p millrace-bench
	$(TARGET)/release/millrace-bench --plugins $(TARGET)/plugins --guests $(TARGET)/guests

clean: ## remove everything that was built or fetched
	cargo clean

setup:
	@.ci/setup build

setup-test:
	@.ci/setup test

kafka: setup-test
	@tests/kafka/fetch

registry: setup-test
	@tests/registry/fetch

python: setup-test
	@tests/python/fetch

# $(call collect,FOLDER,FROM,NAMES,OTHERS) leaves FROM/NAME.wasm as
# TARGET/FOLDER/NAME.wasm: each replaced at once, because a running host may be watching
# it, and nothing there that is not built any more (nor one of OTHERS), because a test
# must not find it.
define collect
@mkdir -p $(TARGET)/$(1)
@rm -f $(filter-out $(patsubst %,$(TARGET)/$(1)/%.wasm,$(3) $(4)),$(wildcard $(TARGET)/$(1)/*))
@set -e; for name in $(3); do \
	from=$(2)/$$(echo $$name | tr - _).wasm; to=$(TARGET)/$(1)/$$name; \
	cmp -s $$from $$to.wasm || { cp $$from $$to.part; mv $$to.part $$to.wasm; }; \
done
endef
