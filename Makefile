# The commands of the project; each does its own set-up and may run again and again, also at once.
.PHONY: help build test demo bench soak format tidy fuzz docs clean

help:
	@echo 'make build   build build/release/lifeboat'
	@echo 'make test    set up, build, and run every test'
	@echo 'make demo    lose a real etcd and get it back, with sizes and times'
	@echo 'make bench   measure against etcd'"'"'s own tools, restic and borg'
	@echo 'make soak    the tests with long counts (hours)'
	@echo 'make fuzz    run each fuzz target for SECONDS (default 30)'
	@echo 'make docs    write docs/cli.md and docs/errors.md anew from the program'
	@echo 'make format  format the C++ sources'
	@echo 'make tidy    run clang-tidy over the C++ sources'
	@echo 'make clean   remove build/ (the test servers stay in the cache folder)'

build:
	@scripts/bootstrap build
	@scripts/build release lifeboat

test:
	@scripts/test

demo: build
	@scripts/bootstrap test
	@scripts/demo

bench: build
	@scripts/bootstrap bench
	@scripts/bench

soak:
	@LIFEBOAT_SOAK=1 scripts/test

fuzz:
	@scripts/bootstrap test
	@scripts/fuzz $(or $(SECONDS),30)

docs: build
	@build/release/lifeboat help --markdown >docs/cli.md
	@build/release/lifeboat help --errors-markdown >docs/errors.md

format:
	@scripts/bootstrap lint
	@git ls-files '*.cc' '*.h' | xargs clang-format-19 -i
	@git ls-files '*.go' | xargs gofmt -w

tidy:
	@scripts/bootstrap lint
	@scripts/tidy

clean:
	rm -rf build
