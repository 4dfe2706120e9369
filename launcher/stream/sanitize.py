"""Makes text from inside safe to show: no escape sequences, no control characters, a bounded length.

A log line can hold anything: a hostile node name could rewrite the title of the terminal, hide what
was printed before, or answer on the user's behalf.
"""

from __future__ import annotations

import os
import re
import shlex
import unicodedata
from collections.abc import Iterable

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]?"  # CSI: colours, cursor
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC, DCS, SOS, PM, APC: titles, links, clipboard
    r"|\x1b[ -/]*[0-~]?"  # everything else
    r"|\x9b[0-?]*[ -/]*[@-~]?"  # CSI as one C1 character
)
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""Most of what is unsafe in bytes that are no text at all; the rest is looked up one by one."""
_UNSAFE_CATEGORIES = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
_JOINERS = frozenset("\u200c\u200d")
_PATH_MAX = 4096


def safe_text(text: str, limit: int = 4000) -> str:
    """One line that a terminal can show.

    Args:
        text: foreign text.
        limit: characters to keep; a longer text ends in an ellipsis.
    """
    if len(text) > 4 * limit:
        text = text[: 4 * limit]
    if not text.isprintable():
        text = _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", _ESCAPES.sub("", text))
    if not text.isprintable():
        text = text.translate(_SHOWN)
    text = text.rstrip()
    return text if len(text) <= limit else text[: limit - 1] + "…"


def safe_path(path: str | os.PathLike[str]) -> str:
    """A path as a terminal can show it; another one than it is where it holds anything else."""
    return safe_text(os.fspath(path), _PATH_MAX)


def safe_line(line: bytes, limit: int = 4000) -> str:
    """``safe_text`` of bytes, whatever their encoding."""
    return safe_text(line.decode("utf-8", errors="replace"), limit)


def pasteable(words: Iterable[str]) -> str:
    """A command line for a shell that says exactly these words, and for a terminal nothing else."""
    return " ".join(_quote(word) for word in words)


def _quote(word: str) -> str:
    if word.isprintable():
        return shlex.quote(word)
    return "$'" + "".join(_escape(character) for character in word) + "'"


def _escape(character: str) -> str:
    if character in "'\\":
        return "\\" + character
    if character.isprintable():
        return character
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(character))


class _Shown(dict[int, str]):
    """What is shown of each character, found out when it is first met: str.translate then is fast."""

    def __missing__(self, code: int) -> str:
        return self.setdefault(code, _safe_character(chr(code)))


_SHOWN = _Shown()


def _safe_character(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Zs" or character in "\t\n\r":
        return " "
    if character in _JOINERS:  # part of words in several scripts
        return character
    return "\N{REPLACEMENT CHARACTER}" if category in _UNSAFE_CATEGORIES else character
