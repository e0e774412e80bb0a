"""Builds a component: `python -m millrace.build plugin.py -o plugin.wasm`.

Takes componentize-py from this Python's environment, and finds in it what the plugin
imports.
"""

import argparse
import importlib
import os
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from . import _network, _plugin

#: The one that this SDK was made with: it depends on what that generates.
COMPONENTIZE_PY = "0.25.1"
WORLDS = {"transform": "transformer", "deserializer": "decoder", "serializer": "encoder"}
HERE = Path(__file__).resolve().parent
APP = "millrace_app"


def main() -> None:
    arguments = _arguments()
    plugin: Path = arguments.plugin.resolve()
    module, folder = plugin.stem, plugin.parent
    _check_tools()
    kinds = _kinds(module, folder)
    with tempfile.TemporaryDirectory() as made:
        glue = Path(made, "app")
        glue.mkdir()
        glue.joinpath(f"{APP}.py").write_text(_glue(module, kinds))
        component = Path(made, "component.wasm")
        _componentize(kinds, [glue, folder, HERE.parent], arguments.wit, component)
        closed = _network.closed(
            component.read_bytes(),
            HERE.joinpath("no_network.wasm").read_bytes(),
            "millrace:plugin/",
            {"language": {"Python": "3.14"}, "processed-by": {"componentize-py": COMPONENTIZE_PY}},
        )
    _replace(arguments.output, closed)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m millrace.build", description="Builds a Millrace plugin of a Python module."
    )
    parser.add_argument(
        "plugin", type=Path, metavar="FILE", help="the plugin's module, or its package's folder"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="the component")
    parser.add_argument(
        "--wit",
        type=Path,
        default=HERE.parents[2] / "wit",
        help="the contract's folder (%(default)s)",
    )
    return parser.parse_args()


def _check_tools() -> None:
    try:
        version = metadata.version("componentize-py")
    except metadata.PackageNotFoundError:
        version = "no"
    if version != COMPONENTIZE_PY:
        sys.exit(
            f"{sys.executable} has {version} componentize-py, and it takes {COMPONENTIZE_PY}:"
            f" pip install componentize-py=={COMPONENTIZE_PY}"
        )


def _kinds(module: str, folder: Path) -> list[str]:
    """What the plugin is, found by importing it here: that needs no Wasm, and says at once
    what is wrong with it."""
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True
    importlib.import_module(module)
    if not _plugin.found:
        sys.exit(
            f"{module} is no plugin yet: nothing in it is decorated with @millrace.transform,"
            " @millrace.deserializer or @millrace.serializer"
        )
    return [kind for kind in WORLDS if kind in _plugin.found]


def _glue(module: str, kinds: list[str]) -> str:
    """What componentize-py makes a component of: the plugin is imported, and classes are
    there with the names of what the world exports."""
    classes = ", ".join(kind.capitalize() for kind in kinds)
    return (
        f"import {module}\n"
        f"from millrace._component import {classes}, prepare\n"
        f"prepare({module}.__file__)\n"
    )


def _componentize(kinds: list[str], paths: list[Path], wit: Path, output: Path) -> None:
    worlds = [argument for kind in kinds for argument in ("--world", WORLDS[kind])]
    folders = [argument for path in [*paths, *_installed()] for argument in ("--python-path", str(path))]
    command = [sys.executable, "-c", "from componentize_py import script; script()"]
    run = subprocess.run(
        [*command, "--quiet", "--wit-path", str(wit), *worlds]
        + ["componentize", *folders, "--output", str(output), APP],
        check=False,
    )
    if run.returncode != 0:
        sys.exit(f"componentize-py failed ({run.returncode})")


def _installed() -> list[str]:
    return [path for path in sys.path if path.endswith("-packages") and os.path.isdir(path)]


def _replace(output: Path, component: bytes) -> None:
    """At once, and only where it differs: a running host may be watching it."""
    if output.exists() and output.read_bytes() == component:
        return
    part = output.with_name(output.name + ".part")
    part.write_bytes(component)
    part.replace(output)


if __name__ == "__main__":
    main()
