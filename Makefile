# A thin front for Meson; each target first makes sure that what it needs is installed (tools/setup).
# BUILD=DIR names the debug build, RELEASE=DIR the optimised one.

PREFIX ?= /usr/local
DESTDIR ?=
BUILD ?= build
RELEASE ?= build-release
export BUILD RELEASE

.PHONY: build debug thread demo check check-full bench bench-pipeline bench-ovsdb bench-openflow install lint fuzz clean help

build: ; @tools/setup build && tools/build release $(RELEASE)
debug: ; @tools/setup build && tools/build debug $(BUILD)
thread: ; @tools/setup build && tools/build thread build-thread

demo: ; @tools/setup build demo && tools/build release $(RELEASE) && KEEP=$(KEEP) tools/demo $(RELEASE)

check: ; @tools/setup build test && tools/check $(BUILD)
check-full: ; @tools/setup build test full && tools/check --full $(BUILD)
bench: ; @tools/setup build test && tools/build release $(RELEASE) && bench/run $(RELEASE)
bench-pipeline: ; @tools/setup build test && tools/build release $(RELEASE) && bench/pipeline --build $(RELEASE)
bench-ovsdb: ; @tools/setup build test && tools/build release $(RELEASE) && bench/ovsdb/run --build $(RELEASE)
bench-openflow: ; @tools/setup build test && tools/build release $(RELEASE) && bench/openflow --build $(RELEASE)
lint: ; @tools/setup build lint && tools/lint
fuzz: ; @tools/setup build && tools/fuzz

install:
	@tools/setup build && tools/build release $(RELEASE)-install --prefix=$(PREFIX)
	@DESTDIR=$(DESTDIR) meson install -C $(RELEASE)-install --no-rebuild

clean: ; rm -rf build build-*

help: ; @sed -n 's/^## //p' README.md
