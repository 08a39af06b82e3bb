# Everything a developer or a build server runs. `make help` lists it.

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT   ?= $(shell git rev-parse HEAD 2>/dev/null)
LDFLAGS   = -s -w -X main.version=$(VERSION) -X ddkk-stats/internal/cli.commit=$(COMMIT)
# Inputs for each fuzz target. Not a time: a target that is stopped by the clock
# between two inputs is reported as failed ("context deadline exceeded").
FUZZTIME ?= 5000x
# Staticcheck needs no installation; a pinned version gives everybody the same answer.
STATICCHECK = go run honnef.co/go/tools/cmd/staticcheck@v0.8.2
# SQLite is C that was translated by a machine: watching it takes six times its own
# time and finds nothing of ours. Everything else is watched.
RACE = -race -gcflags=modernc.org/...=-race=false
# Unit tests are everything but the end-to-end tests, which start real servers. The
# longest come first, so that none of them runs alone at the end.
UNITS = $(shell go list ./queryapi ./counter ./archive; go list ./... | grep -v -e /e2e -e /queryapi$$ -e /counter$$ -e /archive$$)
# What all chance of make chaos comes from.
CHAOS_SEED := $(or $(CHAOS_SEED),$(shell date +%s%N))
# The end-to-end tests that every change has to pass.
QUICK = Harness|People|Delete$$|Void$$|Pipeline|Embedded|Fault|Archive|Import|Counts|History|Calls|DeployNginx|DeployMetrics|DeployInstall|DeployRedisConf|DeployLogrotate|DeployBackupRetention|DeployCompose|Attack|MirrorFollows|Reload|Upgrade|ServiceManager|SocketActivation|Connect

# How long make attack measures what others wait for.
ATTACK_MINUTES ?= 0.5
# What make sim plays; the same seed makes the same schedules.
SCHEDULES ?= 3000
SEED      ?= 1

.DEFAULT_GOAL := help
# Where make install puts things; DESTDIR is put before all of it.
PREFIX   ?= /usr/local
SYSCONF  ?= /etc
# What make release builds, as GOOS/GOARCH.
PLATFORMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64

.PHONY: help build test check test-unit test-race pictures sim sim-quick sim-year sim-mutants bench bench-go fuzz lint fmt e2e e2e-quick chaos attack test-cluster test-packages test-servers test-sites test-chart npm deps deps-full generate man install uninstall release release-check vuln clean

help: ## show this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

build: ## build ./ddkk-stats
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o ddkk-stats .

test: deps check build test-race sim-quick fuzz e2e-quick ## what every change has to pass

check: ## formatting and go vet
	@files=$$(gofmt -l .); test -z "$$files" || { echo "run make fmt for:" $$files; exit 1; }
	go vet ./...

test-unit: ## unit tests, quickly
	go test $(UNITS)

test-race: ## unit tests with the race detector
	go test $(RACE) -p 3 -parallel 4 -timeout 20m $(UNITS)

pictures: ## the dashboard's pictures in docs/img, by Chromium
	DASHBOARD_PICTURES=../docs/img go test ./queryapi -count=1 -run 'TestDashboardInBrowser/pictures'

sim: ## schedules of faults in virtual time (SCHEDULES=3000 SEED=1); see docs/design/simulation.md
	SIM_SCHEDULES=$(SCHEDULES) SIM_SEED=$(SEED) go test -count 1 -timeout 0 -run 'TestCorpus|TestSimulation' -v ./internal/sim

sim-quick: ## the schedules of make test, and of a year every fifth day
	$(MAKE) sim SCHEDULES=3000
	SIM_EVERY=5 go test -count 1 -run TestYear -v ./internal/sim

sim-year: ## a year of an operator, day by day, in two zones
	SIM_EVERY=1 go test -count 1 -timeout 30m -run TestYear -v ./internal/sim

sim-mutants: ## does the simulation find the program broken in one place? each place within 3,000 schedules
	go run ./internal/sim/mutants

bench: ## against other counters, with real servers: bench/RESULTS.md (BENCH="-quick -only ingest")
	go run ./bench $(BENCH)

bench-go: ## Go benchmarks of all packages
	go test -run '^$$' -bench . -benchmem $(UNITS)

fuzz: ## each fuzz target for FUZZTIME inputs (5000x)
	.ci/fuzz $(FUZZTIME)

lint: check ## staticcheck, and golangci-lint where it is installed
	$(STATICCHECK) ./...
	@if command -v golangci-lint >/dev/null; then golangci-lint run; fi

fmt: ## format all Go files
	gofmt -w .

e2e: ## all end-to-end tests: real nginx, Redis, MariaDB and the built daemon
	go test $(RACE) -count 1 -timeout 30m -parallel 4 ./e2e/...

e2e-quick: ## the end-to-end tests of make test
	go test $(RACE) -count 1 -timeout 45m -parallel 8 -run '$(QUICK)' ./e2e

chaos: ## all fault-injection tests, the long ones too; CHAOS_SEED=n repeats a run
	@echo "CHAOS_SEED=$(CHAOS_SEED)"
	CHAOS_SEED=$(CHAOS_SEED) go test $(RACE) -count 1 -timeout 2h -parallel 4 -tags chaos -run 'Fault|Chaos' -v ./e2e/...

# -parallel 1: what others wait for is measured.
attack: ## what strangers can do, against the built daemon behind nginx (ATTACK_MINUTES=0.5; 10 for a release)
	DDKK_E2E_RACE=0 ATTACK_MINUTES=$(ATTACK_MINUTES) go test -count 1 -timeout 1h -parallel 1 -tags attack -run Attack -v ./e2e

test-cluster: ## three hosts on a real Redis Cluster and a Galera, with faults (needs make deps-full)
	go test $(RACE) -count 1 -timeout 30m -tags cluster -run Cluster -v ./e2e

test-packages: ## .deb and .rpm installed, upgraded, removed and purged in clean roots (root; needs make deps-full)
	go test -count 1 -timeout 60m -tags packages -run Packages -v ./e2e

test-servers: ## Sentinel's failover, and every server that Debian has: docs/INSTALL.md (root; needs make deps-full)
	go test $(RACE) -count 1 -timeout 60m -tags servers -run 'Sentinel|Server' -v ./e2e

test-sites: ## sites of Hexo, Hugo, VitePress, Astro, Docusaurus and Next with the npm package, in the browser (needs make deps-full)
	go test -count 1 -timeout 60m -tags sites -run Sites -v ./e2e

test-chart: ## deploy/helm by helm itself: lint, and templates with all options
	.ci/chart

npm: ## dist/npm: the npm package
	.ci/npm '$(VERSION)'

deps: ## install the packages that make test needs, if missing
	.ci/deps core

deps-full: ## install what all other tests and benchmarks need
	.ci/deps full

generate: ## refresh generated files
	go generate ./...

man: build ## dist/man and dist/completions, from the command tree
	@mkdir -p dist/man dist/completions
	./ddkk-stats man > dist/man/ddkk-stats.1
	./ddkk-stats completion bash > dist/completions/ddkk-stats.bash
	./ddkk-stats completion zsh > dist/completions/_ddkk-stats
	./ddkk-stats completion fish > dist/completions/ddkk-stats.fish

install: ## what was built, units, logrotate, man page, completions (PREFIX, SYSCONF, DESTDIR)
	@test -x ddkk-stats && test -d dist/man || $(MAKE) man
	.ci/install '$(DESTDIR)' '$(PREFIX)' '$(SYSCONF)'

uninstall: ## what install put there, but for settings and data
	.ci/install -r '$(DESTDIR)' '$(PREFIX)' '$(SYSCONF)'

release: ## dist/release: archives for PLATFORMS, .deb and .rpm, with checksums, reproducible
	.ci/release '$(VERSION)' $(PLATFORMS)

release-check: ## builds the release twice, in two folders: it must be the same, byte by byte
	.ci/release-check '$(VERSION)' $(PLATFORMS)

vuln: ## known vulnerabilities of what is used (needs the network)
	go run golang.org/x/vuln/cmd/govulncheck@latest ./...

clean: ## remove what was built
	rm -rf ddkk-stats dist
