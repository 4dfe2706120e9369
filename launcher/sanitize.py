"""Makes text from inside safe to show: no escape sequences, no control characters, a bounded length.

A log line can hold anything: a hostile node name could rewrite the title of the terminal, hide what
was printed before, or answer on the user's behalf.
"""

from __future__ import annotations

import re
import unicodedata

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]?"  # CSI: colours, cursor
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC, DCS, SOS, PM, APC: titles, links, clipboard
    r"|\x1b[ -/]*[0-~]?"  # everything else
    r"|\x9b[0-?]*[ -/]*[@-~]?"  # CSI as one C1 character
)
_UNSAFE_CATEGORIES = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
_JOINERS = frozenset("\u200c\u200d")


def safe_text(text: str, limit: int = 4000) -> str:
    """One line that a terminal can show.

    Args:
        text: foreign text.
        limit: characters to keep; a longer text ends in an ellipsis.
    """
    if len(text) > 4 * limit:
        text = text[: 4 * limit]
    text = _ESCAPES.sub("", text)
    if not text.isprintable():
        text = "".join(_safe_character(character) for character in text)
    text = text.rstrip()
    return text if len(text) <= limit else text[: limit - 1] + "…"


def safe_line(line: bytes, limit: int = 4000) -> str:
    """``safe_text`` of bytes, whatever their encoding."""
    return safe_text(line.decode("utf-8", errors="replace"), limit)


def _safe_character(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Zs" or character in "\t\n\r":
        return " "
    if character in _JOINERS:  # part of words in several scripts
        return character
    return "\N{REPLACEMENT CHARACTER}" if category in _UNSAFE_CATEGORIES else character
