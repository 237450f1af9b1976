# Needs Go 1.26 and make; what else is needed, the scripts install or name.

FUZZTIME ?= 30s
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test check bench fuzz model chaos redis cover

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: ## start the demo API on http://127.0.0.1:8080 (ARGS="--addr ... --delay 50ms")
	@go run ./cmd/freshet demo $(ARGS)

test: ## everything that has to be green: checks, tests with the race detector, fuzzing and benchmarks in short form
	@scripts/test

check: ## formatting, go vet, staticcheck and tidy go.mod files, in every module
	@scripts/check

bench: ## benchmarks of every module, then requests over HTTP (ARGS="-seconds 3 -bodies 4096")
	@scripts/bench 1s $(ARGS)

fuzz: ## run each fuzz target for FUZZTIME (default 30s)
	@scripts/fuzz $(FUZZTIME)

model: ## search the larger models of the protocol, a few minutes at most (docs/model.md)
	@go test -count=1 -v -run 'TestModel|TestControls' ./internal/model -large

chaos: ## attack processes of an API over real Redis (ARGS="--topology cluster --duration 10m", ARGS="run --help")
	@scripts/chaos $(ARGS)

redis: ## start a throw-away Redis on 127.0.0.1:6379, until Ctrl-C
	@scripts/install-redis
	@"$$(scripts/redis-program)" --bind 127.0.0.1 --port 6379 --save '' --appendonly no

cover: ## test coverage of each package and module
	@scripts/cover
