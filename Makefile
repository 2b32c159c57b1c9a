# Two commands: `make demo` shows wismo at work, `make test` runs all tests. Both install what is missing.
.POSIX:
.PHONY: help demo test lint bench install uninstall needs needs-test

help:
	@echo "make demo   build wismo and watch it track some forty simulated parcels (needs Redis)"
	@echo "make test   build and run all tests (needs Redis, python3, node, php, strace, systemd-analyze)"
	@echo "make lint   format check, clippy without warnings, cargo deny where it is present"
	@echo "make bench  measure; prints ratios against a baseline taken in the same run"
	@echo "make install, make uninstall   wismo as a systemd service; DESTDIR=, PREFIX=/usr/local, BIN= (a built program)"

demo: needs
	cargo build --locked
	"$${CARGO_TARGET_DIR:-target}/debug/wismo" demo $(DEMO)

test: needs needs-test
	./scripts/test

lint:
	./scripts/lint

bench: needs
	cargo bench --locked

install:
	@DESTDIR="$(DESTDIR)" PREFIX="$(PREFIX)" SYSCONFDIR="$(SYSCONFDIR)" BIN="$(BIN)" ./scripts/install

uninstall:
	@DESTDIR="$(DESTDIR)" PREFIX="$(PREFIX)" SYSCONFDIR="$(SYSCONFDIR)" ./scripts/install --remove

needs:
	@./scripts/install-needs redis

needs-test:
	@./scripts/install-needs tests
