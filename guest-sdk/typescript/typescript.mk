# What a Makefile of a plugin in TypeScript or JavaScript includes, with SDK set to this
# folder: what package-lock.json names, and building by it.
#
# The packages are in node_modules. With TOOLS=/a/folder they are there, and projects with
# the same package-lock.json share them.

LOCKED := $(firstword $(shell cksum < package-lock.json))
ifdef TOOLS
PACKAGES := $(abspath $(TOOLS))/node-$(LOCKED)
INSTALLED := $(PACKAGES)/node_modules/.package-lock.json
else
INSTALLED := node_modules/.installed-$(LOCKED)
endif

# $(MILLRACE_BUILD) src/plugin.ts -o plugin.wasm: the file is replaced at once, because a
# running host may be watching it, and left alone where it would be built of the same.
MILLRACE_BUILD := node $(SDK)/build/main.js
NPM_CI := npm ci --ignore-scripts --no-audit --no-fund

.PHONY: packages
packages: $(INSTALLED)
ifdef TOOLS
	@[ -L node_modules ] || rm -rf node_modules
	@ln -sfn $(PACKAGES)/node_modules node_modules
endif

$(INSTALLED):
	@node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null && command -v npm >/dev/null || \
		{ echo "Node 20 or later, with npm, is not here: install it from https://nodejs.org" >&2; exit 1; }
ifdef TOOLS
# Whole, or not at all: another make may be at it, too.
	@mkdir -p $(PACKAGES) && new="$$(mktemp -d $(PACKAGES)/new-XXXXXX)" && trap 'rm -rf "$$new"' EXIT && \
		cp package.json package-lock.json "$$new" && (set -x; cd "$$new" && $(NPM_CI)) && \
		{ mv "$$new/node_modules" $(PACKAGES) 2>/dev/null || [ -e $@ ]; }
else
	@[ ! -L node_modules ] || rm node_modules
	$(NPM_CI)
	@touch $@
endif
