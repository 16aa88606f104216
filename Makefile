# The commands of this checkout; `make` alone lists them. Each brings the set-up it needs (hack/setup), which does
# only what is missing. Recipes run on the Node 24 that npm installed, never on the machine's own.

NODE := $(CURDIR)/node_modules/.bin/node
BIN := $(CURDIR)/node_modules/.bin
C_SOURCES = $(shell git ls-files '*.c' '*.h')

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.PHONY: help demo test check quick format bytecode bindings parity defects kubernetes bench proof leaks fresh clean setup setup-build setup-node root

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup ## a cluster in a lab, a tour of what the proxy does, then the lab is yours (needs root)
	@$(NODE) cmd/kpng/demo/main.ts

test: setup ## the checks, then all tests, privileged ones included, then that nothing was left behind (needs root)
	@checked=0; hack/check || checked=1; hack/test || exit 1; \
	[ $$checked = 0 ] || { echo 'the tests passed, but not the checks: see the beginning' >&2; exit 1; }

check: setup-build ## format, lint, types, dead code, generated code unchanged
	@hack/check

quick: setup-node ## types, lint and the tests that need no privileges, in less than 20 seconds
	@hack/check quick
	@hack/test quick

format: setup-build ## format and fix what the tools can fix
	@$(NODE) $(BIN)/biome check --write .
	@clang-format -i $(C_SOURCES)

bytecode: setup-build ## compile the BPF objects
	@hack/bytecode

bindings: setup-build ## generate the bindings of the maps anew, from the BPF objects
	@$(NODE) ebpf/bpf2ts/main.ts -o backends/ebpf/bindings.gen.ts backends/ebpf/bpf/build/*.bpf.o

parity: setup-node ## write docs/parity.md anew: the rules of kube-proxy and the tests that name them
	@$(NODE) hack/parity/main.ts

defects: setup-node ## write docs/defects.md anew: what went wrong elsewhere and the tests that name it
	@$(NODE) hack/defects/main.ts

kubernetes: setup-build ## build the API server, etcd and kubectl that tests and kpng lab --source kube use
	@hack/kubernetes

bench: setup ## measure, into bench/results (needs root)
	@$(NODE) bench/main.ts

proof: setup ## the tests that are cut short in make test, at full length: some minutes (needs root)
	@KPNG_PROOF=1 $(NODE) --test --test-concurrency=1 \
		test/e2e/never-failed/*.test.ts test/e2e/upgrade/killed.test.ts backends/ebpf/reconcile/soak*.test.ts \
		backends/ebpf/reconcile/flips.kernel.test.ts

leaks: setup-node ## list what was left behind on this machine: must be none (needs root)
	@$(NODE) hack/leaks/main.ts

fresh: root ## make demo and make test in a fresh clone (needs root)
	@hack/fresh

clean: ## remove what was built; the npm packages stay
	@rm -rf .stamp coverage cmd/kpng/bundle backends/ebpf/bpf/build ebpf/testdata/build

setup: root ## everything that the other commands need: packages, Node 24, bytecode, bundle (needs root)
	@hack/setup

setup-build:
	@hack/setup build

setup-node:
	@hack/setup node

root:
	@[ "$$(id -u)" = 0 ] || { echo "make $(or $(firstword $(MAKECMDGOALS)),demo) needs root: BPF, network namespaces and cgroups; try: sudo make $(MAKECMDGOALS)" >&2; exit 1; }
