# How a plugin in C is compiled, for Makefiles to include:
#
#   $(MILLRACE_CC)         what the rules below need first: fetches the compiler
#   $(MILLRACE_COMPILE)    compiles and links C files: … FILES -o CORE.wasm
#   $(MILLRACE_COMPONENT)  makes the plugin of what that leaves: … CORE.wasm -o PLUGIN.wasm
#   $(MILLRACE_NATIVE)     compiles unit tests: … FILES -o PROGRAM -lm
#   $(MILLRACE_JSON)       one more of the FILES: yyjson, for millrace_json.h
#   $(MILLRACE_HEADERS)    what they all depend on
#   $(MILLRACE_EXPECT)     tests a plugin in a host: … PLUGIN.wasm (tests/*.jsonl)
#
# The compiler is clang with a C library for Wasm, as Zig brings them: the Python package
# ziglang, in a virtual environment of its own, TOOLS. Projects may share one:
# make TOOLS=/a/folder. ZIG=/a/path/zig takes that one, and fetches none.

MILLRACE_SDK := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
MILLRACE_ZIG := 0.17.0
MILLRACE_JSON := $(MILLRACE_SDK)/yyjson/yyjson.c
MILLRACE_HEADERS := $(wildcard $(MILLRACE_SDK)/*.h $(MILLRACE_SDK)/yyjson/*.h)

HOST ?= host
TOOLS ?= .venv
PYTHON ?= python3

ifdef ZIG
MILLRACE_CC :=
else
ZIG := $(TOOLS)/bin/python -m ziglang
MILLRACE_CC := $(TOOLS)/ziglang-$(MILLRACE_ZIG)
endif

MILLRACE_WARN := -Wall -Wextra -Wpedantic

# The stack is 128 KiB; beyond it a plugin breaks. Assertions stay, optimized or not.
MILLRACE_COMPILE = $(ZIG) cc -target wasm32-wasi -mexec-model=reactor -std=c11 -O2 -UNDEBUG \
	-Wl,--strip-debug -Wl,-z,stack-size=131072 $(MILLRACE_WARN) -I$(MILLRACE_SDK)

# An equal component is left alone by the host, and touched for make.
MILLRACE_COMPONENT = @component() { (set -x; $(HOST) componentize "$$@") && touch $@; }; \
	$(MILLRACE_HAS_HOST) || exit 1; component

# $(MILLRACE_EXPECT) PLUGIN.wasm: holds what comes of tests/in.jsonl against tests/expected.jsonl.
MILLRACE_EXPECT = @expect() { set -x; $(HOST) test "$$@" --expect tests/expected.jsonl \
	< tests/in.jsonl; }; $(MILLRACE_HAS_HOST) || exit 1; expect

# The host is asked first what it can do: other programs have that name, too.
MILLRACE_HAS_HOST = { $(HOST) componentize --help 2>/dev/null | grep -q -e --output || \
	{ echo "There is no '$(HOST) componentize' here, which makes the component:" \
	"make HOST=/a/path/host, where Millrace's host is not on the PATH" >&2; false; }; }

# The system's compiler, with its sanitizers where it has them; else the one that is fetched.
ifeq ($(shell command -v $(CC) 2>/dev/null),)
MILLRACE_CC_HERE := $(ZIG) cc
else
MILLRACE_CC_HERE := $(CC)
endif
MILLRACE_SANITIZE = $(shell echo 'int main(void) { return 0; }' | \
	$(MILLRACE_CC_HERE) -fsanitize=address,undefined -x c - -o /dev/null 2>/dev/null && \
	echo -fsanitize=address,undefined -fno-sanitize-recover=all)
MILLRACE_NATIVE = $(MILLRACE_CC_HERE) -std=c11 -O1 -g $(MILLRACE_SANITIZE) $(MILLRACE_WARN) \
	-I$(MILLRACE_SDK)

$(TOOLS)/ziglang-$(MILLRACE_ZIG):
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	{ echo "The compiler comes as a Python package, and there is no $(PYTHON) with venv here:" \
	"install Python 3 (on Debian and Ubuntu: apt-get install python3-venv)," \
	"or name a Zig $(MILLRACE_ZIG) by make ZIG=/a/path/zig" >&2; exit 1; }
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/pip install --quiet --disable-pip-version-check ziglang==$(MILLRACE_ZIG)
	@touch $@
