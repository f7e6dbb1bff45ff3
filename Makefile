# `make` prints what there is. Everything is left in _out/, and in the cache folder of the user.

GO      ?= go
ARCH    ?= amd64
FUZZTIME ?= 10s
BENCH   ?= .
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.0

OUT     := _out
BIN     := $(OUT)/bootwright
INITS   := $(foreach arch,amd64 arm64,initramfs/embedded/init-$(arch) initramfs/embedded/installer-$(arch))
CACHE   := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/bootwright-dev
BASE    := $(OUT)/base-$(ARCH)
# The cloud kernel boots in a fraction of the time; tests of the whole way use its base.
TESTBASE := $(CACHE)/base-cloud

# Static and the same wherever they are built: no paths, no symbol tables, and in the init no revision either.
GOBUILD := CGO_ENABLED=0 $(GO) build -trimpath -ldflags='-s -w'
VCS     := $(shell git rev-parse -q --verify HEAD >/dev/null 2>&1 && echo auto || echo false)

WITH_TOOLS := BOOTWRIGHT_REQUIRE_TOOLS=1
WITH_VM    := $(WITH_TOOLS) BOOTWRIGHT_VM=1 BOOTWRIGHT_TEST_BASE=$(TESTBASE)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help build iso base tools testbase test test-unit test-vm test-powercut test-layouts race fuzz bench lint golden reproducible check clean FORCE

help: ## print this
	@echo 'make TARGET, where TARGET is one of'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# The machines' inits and installers are inside the builder's binary, so they come first.
build: $(BIN) $(OUT)/wrightctl ## compile what goes onto machines, _out/bootwright and _out/wrightctl

initramfs/embedded/init-%: FORCE
	@GOOS=linux GOARCH=$* $(GOBUILD) -buildvcs=false -o $@ ./cmd/init

initramfs/embedded/installer-%: FORCE
	@GOOS=linux GOARCH=$* $(GOBUILD) -buildvcs=false -o $@ ./cmd/installer

$(BIN): $(INITS) FORCE
	@$(GOBUILD) -buildvcs=$(VCS) -o $@ ./cmd/bootwright

$(OUT)/wrightctl: FORCE
	@$(GOBUILD) -buildvcs=$(VCS) -o $@ ./cmd/wrightctl

base: $(BIN) ## make the base _out/base-ARCH from Debian packages (ARCH=amd64 or arm64)
	@hack/base.sh $(BIN) $(BASE) $(ARCH)

iso: base ## leave _out/metal-ARCH.iso, which boots on UEFI and BIOS, as CD-ROM and as disk
	$(BIN) build iso --arch $(ARCH) --base oci:$(BASE) -o $(OUT)
	@echo; echo "Boot it:  $(BIN) boot $(OUT)/metal-$(ARCH).iso"

tools: ## install, from Debian's packages, what the tests use as judges, QEMU and firmware
	@hack/tools.sh

testbase: $(BIN)
	@hack/base.sh $(BIN) $(TESTBASE) 'amd64 arm64' --flavour cloud

test: tools testbase ## run all tests, with every judge, and boot machines
	$(WITH_VM) $(GO) test -timeout 60m ./...

test-unit: $(INITS) ## run the quick tests, with the judges that are there
	$(GO) test -short ./...

test-vm: tools testbase ## boot machines only
	$(WITH_VM) $(GO) test -timeout 60m -v -run '^TestBoot' ./cmd/bootwright

test-powercut: tools testbase ## cut the power at BOOTWRIGHT_POWERCUT_STATES (40) moments of each recorded boot, and boot again
	BOOTWRIGHT_POWERCUT_STATES=$(or $(BOOTWRIGHT_POWERCUT_STATES),40) $(WITH_VM) $(GO) test -timeout 120m -v -run '^TestBootPowerCuts' ./cmd/bootwright

test-layouts: tools testbase ## boot every machine of the table of layouts (machine/volumes/testdata) that QEMU can be
	BOOTWRIGHT_LAYOUTS=all $(WITH_VM) $(GO) test -timeout 60m -v -run '^TestBootLayouts' ./cmd/bootwright

race: $(INITS) ## run the quick tests under the race detector
	CGO_ENABLED=1 $(GO) test -race -short ./...

fuzz: $(INITS) ## run every fuzz target for FUZZTIME (10s)
	@hack/fuzz.sh $(FUZZTIME)

bench: tools testbase ## measure beside cp, xorriso, initramfs-tools ... in one run (BENCH=ISO/http for one)
	$(WITH_VM) $(GO) test -timeout 60m -run '^$$' -bench '$(BENCH)' ./internal/bench

lint: ## vet, staticcheck, gofmt, go.mod
	@bad=$$($$($(GO) env GOROOT)/bin/gofmt -l .); test -z "$$bad" || { echo "not formatted; gofmt -w" $$bad >&2; exit 1; }
	$(GO) vet ./...
	GOOS=darwin $(GO) vet ./formats/... ./builder/... ./cmd/bootwright
	$(GO) run $(STATICCHECK) ./...
	$(GO) mod tidy -diff

golden: $(INITS) ## write the golden files anew, to be read in the diff
	BOOTWRIGHT_UPDATE=1 $(GO) test ./...
	git status --short -- '*testdata*'

reproducible: testbase ## build everything twice, under other circumstances, and compare the bytes
	@hack/reproducible.sh $(BIN) $(TESTBASE)

check: lint test race reproducible ## everything that CI runs

clean: ## remove what was built; caches stay
	rm -rf $(OUT) $(INITS)

FORCE:
