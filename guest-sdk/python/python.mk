# What a Makefile of a plugin in Python includes, with SDK set to this folder: the tools,
# and where they find the SDK.
#
# TOOLS is a Python environment, which is made where it is not there: several projects may
# share one (make TOOLS=/a/folder). PYTHON3 is the Python that makes it.

TOOLS ?= .venv
PYTHON3 ?= python3
PYTHON := $(TOOLS)/bin/python

export PYTHONPATH := src:$(SDK)
export PYTHONDONTWRITEBYTECODE := 1

# What this plugin takes from PyPI stands in its own requirements.txt.
REQUIREMENTS := $(SDK)/requirements.txt $(wildcard requirements.txt)
INSTALLED := $(TOOLS)/.installed-$(firstword $(shell cat $(REQUIREMENTS) | cksum))

# What a plugin is built of: its own files, with their folders, because a file that is gone
# is a change; and the SDK, the contract and what is installed.
SOURCES := $(shell find src ! -path '*/__pycache__*' 2>/dev/null)
MILLRACE := $(wildcard $(SDK)/python.mk $(SDK)/millrace/*.* $(SDK)/../../wit/*) $(INSTALLED)

# $(MILLRACE_BUILD) src/plugin.py -o plugin.wasm: the file is replaced at once, because a
# running host may be watching it.
MILLRACE_BUILD = $(PYTHON) -m millrace.build

.PHONY: tools
tools: $(INSTALLED)

# Wheels only: what would have to be compiled does not run in a plugin either.
$(INSTALLED):
	@$(PYTHON3) -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || \
	{ echo "Python 3.10 or later, with venv, is not here: install it from https://python.org, on" \
		"Debian and Ubuntu by 'apt-get install python3-venv', or name one:" \
		"make PYTHON3=/a/path/python3" >&2; exit 1; }
	@$(PYTHON) -c '' 2>/dev/null || $(PYTHON3) -m venv $(if $(wildcard $(TOOLS)/pyvenv.cfg),--clear) $(TOOLS)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --only-binary :all: \
		$(addprefix --requirement ,$(REQUIREMENTS))
	@rm -f $(TOOLS)/.installed-*
	@touch $@
