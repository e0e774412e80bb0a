"""The network is closed, and nothing else."""

import unittest

from millrace import _network
from millrace._network import (
    ALIAS,
    COMPONENT,
    EXPORT,
    IMPORT,
    INSTANCE,
    PREAMBLE,
    TYPE,
    Unexpected,
    _name,
    _section,
    _u32,
)

POLL, TCP, LOG = "wasi:io/poll@0.2.9", "wasi:sockets/tcp@0.2.9", "millrace:plugin/log@0.1.0"
TRANSFORM = "millrace:plugin/transform@0.1.0"


def imported(name: str, type_index: int) -> bytes:
    return _section(IMPORT, b"\1\0" + _name(name) + b"\5" + _u32(type_index))


def type_of(instance: int, name: str) -> bytes:
    return _section(ALIAS, b"\1\3\0" + _u32(instance) + _name(name))


def exported(name: str, sort: int, index: int) -> bytes:
    return _section(EXPORT, b"\1\0" + _name(name) + bytes([sort]) + _u32(index) + b"\0")


NO_NETWORK = PREAMBLE + imported(POLL, 0)
EMPTY = _section(TYPE, b"\1\x42\0")
PLUGIN = b"".join(
    [PREAMBLE, EMPTY, imported(POLL, 0), type_of(0, "pollable"), EMPTY, imported(TCP, 2)]
    + [type_of(0, "pollable"), type_of(1, "tcp-socket"), EMPTY, imported(LOG, 5)]
    + [type_of(2, "level"), _section(1, b"code"), exported(TRANSFORM, 5, 9), exported("f", 1, 0)]
)


def closed(plugin: bytes, exports: str = "millrace:plugin/") -> list[tuple[int, bytes]]:
    tools = {"language": {"Python": "3.14"}}
    return list(_network._sections(_network.closed(plugin, NO_NETWORK, exports, tools)))


class NetworkTest(unittest.TestCase):
    def test_sockets_are_the_other_components_and_all_else_is_as_it_was(self) -> None:
        # Instances: poll 0, what answers for the network 1, tcp 2, log 3, the plugin 4.
        sockets = _name(POLL) + b"\5\0"
        arguments = sockets + _name(TCP) + b"\5\2" + _name(LOG) + b"\5\3"
        body = b"".join(_section(kind, body) for kind, body in closed(PLUGIN)[:-1])
        self.assertEqual(
            body,
            b"".join(
                [_section(COMPONENT, NO_NETWORK), EMPTY, imported(POLL, 0)]
                + [type_of(0, "pollable"), EMPTY]
                + [_section(INSTANCE, b"\1\0\0\1" + sockets)]
                + [_section(ALIAS, b"\1\5\0\1" + _name(TCP))]
                + [type_of(0, "pollable"), type_of(2, "tcp-socket"), EMPTY, imported(LOG, 5)]
                + [type_of(3, "level"), _section(COMPONENT, PLUGIN)]
                + [_section(INSTANCE, b"\1\0\1\3" + arguments)]
                + [_section(ALIAS, b"\1\5\0\4" + _name(TRANSFORM)), exported(TRANSFORM, 5, 5)]
            ),
        )

    def test_it_says_what_it_was_made_with(self) -> None:
        self.assertEqual(
            closed(PLUGIN)[-1],
            (0, _name("producers") + b"\1" + _name("language") + b"\1" + _name("Python") + _name("3.14")),
        )

    def test_numbers_of_any_size_are_read_as_they_were_written(self) -> None:
        for number in (0, 127, 128, 300, 2**32 - 1):
            self.assertEqual(_network._Reader(_u32(number)).u32(), number)

    def test_what_is_no_such_component_is_refused(self) -> None:
        function = _section(IMPORT, b"\1\0" + _name("f") + b"\1\0")
        for component in (b"\0asm\1\0\0\0", PREAMBLE + function, PREAMBLE + imported(TCP, 0)):
            with self.assertRaises(Unexpected):
                closed(component)


if __name__ == "__main__":
    unittest.main()
