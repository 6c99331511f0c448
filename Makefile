# Everything that is done with this repository has a target here; CI and the
# documents call only these.

GO       ?= go
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LINT     := $(GO) tool -modfile=tools/go.mod golangci-lint
POSTGRES := scripts/with-postgres
STEP     := scripts/step

# How long the dear targets run; CI runs the samples of `make test`.
FUZZTIME   ?= 1m
ROUNDS     ?= 500
BENCH      ?= .
BENCHCOUNT ?= 1
QUALITY    ?=

# Not asking git for the revision lets a checkout that belongs to another user
# be built; the version is given by hand.
export GOFLAGS := $(filter-out -buildvcs%,$(GOFLAGS)) -buildvcs=false
export GO
MAKEFLAGS += --no-print-directory

# The race detector looks at our code and not into the translated C of the
# embedded SQLite, which would run 7 times slower and find nothing of ours.
RACE := -race '-gcflags=modernc.org/...=-race=false'

# Whole flows, chaos, quality and benchmarks have targets of their own.
UNIT = $(shell $(GO) list ./... | grep -v '^github.com/sinewsec/sinew/test/')

.DEFAULT_GOAL := help

## Everyday

.PHONY: help
help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} \
		/^## / {printf "\n%s\n", substr($$0, 4)} \
		/^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: web ## build bin/sinew, one static file with the pages in it
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/sinew ./cmd/sinew

# npm is quiet about what a build does not ask about.
NPM := npm --no-audit --no-fund --no-update-notifier --loglevel=error

WEB_SOURCES := $(shell find web/src web/public web/scripts -type f ! -name schema.d.ts 2>/dev/null) \
	web/index.html web/vite.config.ts web/postcss.config.mjs web/tsconfig.json docs/openapi.json

.PHONY: web
web: web/dist/index.html ## build the pages, which the binary embeds

web/dist/index.html: web/node_modules/.package-lock.json $(WEB_SOURCES)
	$(NPM) --prefix web run --silent build

web/node_modules/.package-lock.json: web/package-lock.json
	$(NPM) --prefix web ci

test/browser/node_modules/.package-lock.json: test/browser/package-lock.json
	$(NPM) --prefix test/browser ci

.PHONY: demo
demo: build ## build and start the demo: real reports on embedded SQLite; Ctrl-C ends it
	@exec bin/sinew demo

.PHONY: test
test: ## everything that CI runs, on both databases; installs Debian packages when root
	@$(STEP) deps $(MAKE) deps
	@$(POSTGRES) $(MAKE) ci

.PHONY: check
check: ## what must pass before a commit
	@scripts/deps
	@$(POSTGRES) $(MAKE) tidy-check build rules lint generate-check web-check browser-deps unit e2e browser

.PHONY: fmt
fmt: ## format the Go files
	$(LINT) fmt

.PHONY: lint
lint: ## vet, lint and formatting
	$(GO) vet ./...
	$(LINT) run ./...

.PHONY: rules
rules: ## layers and the other rules of this repository
	$(GO) test -vet=off ./internal/repotest

.PHONY: generate
generate: ## write the generated files again
	$(GO) generate ./...

.PHONY: golden
golden: ## write the goldens of every test again; read their diff like code
	$(POSTGRES) $(GO) test $$(grep -rlE --include='*_test.go' --exclude-dir=examples 'flag\.Bool\("update"' . | xargs -n 1 dirname | sort -u) -update

.PHONY: clean
clean: ## remove what was built
	rm -rf bin dist .cache test/bench/out web/node_modules test/browser/node_modules
	find web/dist -mindepth 1 ! -name README -delete

## Tests, from cheap to dear (each starts a PostgreSQL of its own if need be)

.PHONY: unit
unit: ## unit, contract and repository tests, with the race detector
	$(POSTGRES) $(GO) test -vet=off -timeout 20m $(RACE) $(filter-out %/internal/format/sandbox,$(UNIT))
	$(GO) test -vet=off -timeout 10m ./internal/format/sandbox # measures memory and time, which the race detector multiplies

.PHONY: e2e
e2e: ## whole flows as text scripts, on SQLite and on PostgreSQL
	$(POSTGRES) $(GO) test -vet=off -count=1 -timeout 20m ./test/e2e/...

.PHONY: web-check
web-check: web/node_modules/.package-lock.json ## types, lint and unit tests of the pages
	$(NPM) --prefix web run --silent check
	$(NPM) --prefix web run --silent test

.PHONY: browser-deps
browser-deps: test/browser/node_modules/.package-lock.json ## what browser tests, and those of sign-in with a provider, run on

.PHONY: browser
browser: build browser-deps ## the pages in a real browser: flows, accessibility, widths
	cd test/browser && node --test --test-concurrency=2 --test-timeout=300000 *.test.mjs

.PHONY: screenshots
screenshots: build browser-deps ## every page, light, dark and 390 px wide, into docs/screenshots
	cd test/browser && node screenshots.mjs ../../docs/screenshots

.PHONY: quality
quality: ## how well reports are read, against the corpora
	$(POSTGRES) $(GO) test -vet=off -count=1 -timeout 60m ./test/quality/... $(QUALITY)

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (1m) each
	scripts/fuzz $(FUZZTIME)

.PHONY: chaos
chaos: ## kill -9 at random moments, ROUNDS (500) times per database
	SINEW_PG_DURABLE=1 $(POSTGRES) $(GO) test -vet=off -count=1 -timeout 6h -v ./test/chaos/... -chaos.rounds=$(ROUNDS)

.PHONY: bench
bench: ## the budgets at full size, PostgreSQL with fsync; BENCH picks, BENCHCOUNT repeats
	SINEW_PG_DURABLE=1 $(POSTGRES) $(GO) test -vet=off -timeout 6h -run '^$$' -bench '$(BENCH)' -count $(BENCHCOUNT) ./test/bench/...

## What CI is made of

.PHONY: ci
ci:
	@$(STEP) tidy-check $(MAKE) tidy-check
	@$(STEP) build $(MAKE) build
	@$(STEP) rules $(MAKE) rules
	@$(STEP) lint $(MAKE) lint
	@$(STEP) generate-check $(MAKE) generate-check
	@$(STEP) web-check $(MAKE) web-check
	@$(STEP) browser-deps $(MAKE) browser-deps
	@$(STEP) unit $(MAKE) unit
	@$(STEP) e2e $(MAKE) e2e
	@$(STEP) browser $(MAKE) browser
	@$(STEP) quality $(MAKE) quality QUALITY=-short
	@$(STEP) fuzz $(MAKE) fuzz FUZZTIME=3000x
	@$(STEP) chaos $(MAKE) chaos ROUNDS=20
	@$(STEP) bench-smoke $(MAKE) bench-smoke

.PHONY: deps
deps: ## look for what the tests need; as root, install it
	@scripts/deps
	$(GO) mod download
	cd tools && $(GO) mod download

.PHONY: tidy-check
tidy-check: ## go.mod and go.sum are exact, and the modules are what was published
	$(GO) mod tidy -diff
	cd tools && $(GO) mod tidy -diff
	$(GO) mod verify

.PHONY: generate-check
generate-check: ## generated files are current
	scripts/generate-check $(MAKE) generate

.PHONY: bench-smoke
bench-smoke: ## every benchmark once, at small size
	$(POSTGRES) $(GO) test -vet=off -short -timeout 20m -run '^$$' -bench . -benchtime 1x ./test/bench/...
