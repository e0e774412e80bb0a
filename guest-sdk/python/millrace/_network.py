"""Closes the network in a component of componentize-py.

Its libc imports wasi:sockets, used or not, and Millrace refuses a plugin that imports
those. Here the component gets them from another one beside it, `no_network.wasm`, which
answers every wish for a socket with "access denied": in Python, a PermissionError. All
other imports stay: the host gives them, virtual ones or, with --allow, the real ones.

The two stand in a new component, which has the imports that are left and the plugin's
exports. Only the few sections of a component's head are read for that; see the component
model's Binary.md.
"""

from collections.abc import Iterator

PREAMBLE = b"\0asm\x0d\0\x01\0"
CUSTOM, COMPONENT, INSTANCE, ALIAS, TYPE, IMPORT, EXPORT = 0, 4, 5, 6, 7, 10, 11
SORT_TYPE, SORT_INSTANCE = 3, 5
SOCKETS = "wasi:sockets/"


class Unexpected(Exception):
    """The component is not as componentize-py makes them."""


def closed(plugin: bytes, no_network: bytes, exports: str, tools: dict[str, dict[str, str]]) -> bytes:
    """The plugin without its imports of wasi:sockets, with those of its exports that begin
    with `exports`. `tools` is what its section `producers` says."""
    out = [PREAMBLE, _section(COMPONENT, no_network)]
    wanted = list(_imports(no_network))
    #: The instances of the new component, by their imports' names.
    instances: dict[str, int] = {}
    count = 0
    sockets: int | None = None
    rest = list(_sections(plugin))
    while rest and rest[0][0] in (CUSTOM, ALIAS, TYPE, IMPORT):
        kind, body = rest.pop(0)
        if kind == TYPE:
            out.append(_section(TYPE, body))
        elif kind == ALIAS:
            out.append(_section(ALIAS, _moved(body, sockets)))
        elif kind == IMPORT:
            for name, type_index in _entries(body):
                if not name.startswith(SOCKETS):
                    out.append(_section(IMPORT, b"\1\0" + _name(name) + b"\5" + _u32(type_index)))
                else:
                    if sockets is None:
                        out.append(_instantiated(0, wanted, instances))
                        sockets = count
                        count += 1
                    out.append(_alias(sockets, name))
                instances[name] = count
                count += 1
    out.append(_section(COMPONENT, plugin))
    out.append(_instantiated(1, list(instances), instances))
    inner = count
    count += 1
    for name in _exports(rest):
        if name.startswith(exports):
            out.append(_alias(inner, name))
            out.append(_section(EXPORT, b"\1\0" + _name(name) + b"\5" + _u32(count) + b"\0"))
            count += 2  # An export is an instance of its own.
    out.append(_producers(tools))
    return b"".join(out)


def _moved(body: bytes, sockets: int | None) -> bytes:
    """Aliases of instances' types: one instance more stands before those behind `sockets`."""
    reader = _Reader(body)
    count = reader.u32()
    out = [_u32(count)]
    for _ in range(count):
        if reader.byte() != SORT_TYPE or reader.byte() != 0:
            raise Unexpected("an alias of something else than an instance's type")
        instance = reader.u32()
        if sockets is not None and instance >= sockets:
            instance += 1
        out.append(bytes([SORT_TYPE, 0]) + _u32(instance) + _name(reader.name()))
    return b"".join(out)


def _imports(component: bytes) -> Iterator[str]:
    for kind, body in _sections(component):
        if kind == IMPORT:
            yield from (name for name, _ in _entries(body))


def _entries(body: bytes) -> Iterator[tuple[str, int]]:
    """A section's imports, which are all instances, and their types."""
    reader = _Reader(body)
    for _ in range(reader.u32()):
        plain = reader.byte() in (0, 1)
        name = reader.name()
        if not plain or reader.byte() != SORT_INSTANCE:
            raise Unexpected(f"the import {name} is no instance")
        yield name, reader.u32()


def _exports(sections: list[tuple[int, bytes]]) -> Iterator[str]:
    for kind, body in sections:
        if kind == IMPORT:
            raise Unexpected("an import behind the code")
        if kind != EXPORT:
            continue
        reader = _Reader(body)
        for _ in range(reader.u32()):
            reader.byte()
            name = reader.name()
            sort = reader.byte()
            if sort == 0:
                reader.byte()
            reader.u32()
            if reader.byte() != 0:
                raise Unexpected(f"the export {name} has a type of its own")
            if sort == SORT_INSTANCE:
                yield name


def _instantiated(component: int, names: list[str], instances: dict[str, int]) -> bytes:
    if missing := [name for name in names if name not in instances]:
        raise Unexpected(f"it does not import {', '.join(missing)}")
    arguments = [_name(name) + b"\5" + _u32(instances[name]) for name in names]
    return _section(INSTANCE, b"\1\0" + _u32(component) + _u32(len(names)) + b"".join(arguments))


def _alias(instance: int, name: str) -> bytes:
    return _section(ALIAS, bytes([1, SORT_INSTANCE, 0]) + _u32(instance) + _name(name))


def _producers(tools: dict[str, dict[str, str]]) -> bytes:
    out = [_name("producers"), _u32(len(tools))]
    for field, versions in tools.items():
        out += [_name(field), _u32(len(versions))]
        out += [_name(name) + _name(version) for name, version in versions.items()]
    return _section(CUSTOM, b"".join(out))


def _sections(component: bytes) -> Iterator[tuple[int, bytes]]:
    if component[: len(PREAMBLE)] != PREAMBLE:
        raise Unexpected("it is no component")
    reader = _Reader(component, len(PREAMBLE))
    while reader.at < len(component):
        kind = reader.byte()
        yield kind, reader.take(reader.u32())


def _section(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + _u32(len(body)) + body


def _name(name: str) -> bytes:
    return _u32(len(name.encode())) + name.encode()


def _u32(number: int) -> bytes:
    """LEB128."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


class _Reader:
    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def take(self, size: int) -> bytes:
        self.at += size
        return self.data[self.at - size : self.at]

    def u32(self) -> int:
        number = shift = 0
        while True:
            byte = self.byte()
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
            shift += 7

    def name(self) -> str:
        return self.take(self.u32()).decode()
