"""Exceptions as the text of a reason: the same text each time for the same failure."""

import linecache
import os
import re
import sys
from types import CodeType, TracebackType

from ._reject import Reject

#: The host keeps 2 KiB of a reason.
MOST_MESSAGE = 1000
MOST_BYTES = 1800
#: Frames of a traceback, the innermost ones: a recursion has hundreds.
MOST_FRAMES = 10

_SDK = os.path.dirname(os.path.abspath(__file__)) + os.sep
_STDLIB = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
# In a component, the folders that it was built from are /0, /1 and so on.
_INSTALLED = re.compile(r".*[/\\](?:site|dist)-packages[/\\]|/\d+/")
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
#: Where the user's code lies: what a file is called in a traceback is relative to it.
_root = os.getcwd() + os.sep


def root(folder: str) -> None:
    """Says where the user's code lies."""
    global _root
    _root = os.path.abspath(folder) + os.sep


def keep_sources() -> None:
    """Keeps the source of the user's modules for tracebacks: in a component there are no
    files. Without a time in it, linecache does not look for the file again."""
    for module in list(sys.modules.values()):
        name = getattr(module, "__file__", None) or ""
        if name.startswith(_root) and not name.startswith(_SDK):
            lines = linecache.getlines(name)
            linecache.cache[name] = (sum(map(len, lines)), None, lines, name)


def text_of(error: BaseException) -> str:
    """The reason that an exception gives."""
    try:
        text = str(error) if isinstance(error, Reject) else _described(error)
    except Exception:  # Its own __str__ failed.
        text = type(error).__name__
    # The contract's text is UTF-8, and a str may hold half of a surrogate pair.
    return text.encode("utf-8", "replace").decode()


def _described(error: BaseException) -> str:
    lines = [_headline(error)]
    size = len(lines[0].encode("utf-8", "replace"))
    for line in [*_frames(error.__traceback__), *_causes(error)]:
        size += 1 + len(line.encode("utf-8", "replace"))
        if size > MOST_BYTES:
            break
        lines.append(line)
    return "\n".join(lines)


def _headline(error: BaseException) -> str:
    message = _ADDRESS.sub("", str(error))
    if len(message) > MOST_MESSAGE:
        message = message[:MOST_MESSAGE] + "…"
    name = type(error).__name__
    return f"{name}: {message}" if message else name


def _causes(error: BaseException) -> list[str]:
    causes = []
    seen = {id(error)}
    while (cause := error.__cause__) is not None and id(cause) not in seen and len(causes) < 4:
        causes.append(f"caused by {_headline(cause)}")
        seen.add(id(cause))
        error = cause
    return causes


def _frames(traceback: TracebackType | None) -> list[str]:
    """The frames of the user's code and of what it installed, the innermost one last."""
    frames: list[tuple[CodeType, int]] = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if not code.co_filename.startswith("<frozen ") and _is_shown(code.co_filename):
            frames.append((code, traceback.tb_lineno))
        traceback = traceback.tb_next
    lines = []
    for code, number in frames[-MOST_FRAMES:]:
        lines.append(f'  File "{_shown(code.co_filename)}", line {number}, in {code.co_name}')
        if source := linecache.getline(code.co_filename, number).strip():
            lines.append(f"    {source}")
    return lines


def _is_shown(filename: str) -> bool:
    if filename.startswith(_SDK):
        return False
    return not filename.startswith(_STDLIB) or _INSTALLED.match(filename) is not None


def _shown(filename: str) -> str:
    if filename.startswith(_root):
        return filename[len(_root) :]
    return _INSTALLED.sub("", filename)
