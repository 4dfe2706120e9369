from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch_quantization.stream.sanitize import pasteable, safe_line, safe_path, safe_text


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("plain", "plain"),
        ("Grüße 数 \N{SNOWMAN}", "Grüße 数 \N{SNOWMAN}"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;new title\x07text", "text"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]52;c;ZXZpbA==", ""),
        ("\x1bP1$q\x1b\\x", "x"),
        ("\x9b31mx", "x"),
        ("\x1b(Bx\x1bcy", "xy"),
        ("a\tb\rc\nd", "a b c d"),
        ("a\x00\x08b\x7f", "a\ufffd\ufffdb\ufffd"),
        ("a\u202eb\u2066c", "a\ufffdb\ufffdc"),
        ("\ud800", "\ufffd"),
        ("end   ", "end"),
        ("\x1b", ""),
    ],
)
def test_safe_text(foreign: str, shown: str) -> None:
    assert safe_text(foreign) == shown


def test_length_is_bounded() -> None:
    assert safe_text("x" * 100, limit=10) == "x" * 9 + "…"
    assert len(safe_text("\x1b]" * 1_000_000)) <= 4000


def test_any_encoding() -> None:
    assert safe_line(b"caf\xe9 \x1b[2Jx") == "caf\ufffd x"


@given(st.text())
def test_nothing_is_left_that_a_terminal_acts_on(text: str) -> None:
    shown = safe_text(text)
    assert all(character.isprintable() or character in "\u200c\u200d" for character in shown)
    assert safe_text(shown) == shown


@pytest.mark.parametrize(
    "words",
    [
        ["plain", "two words", "it's", "-x"],
        ["\x1b]0;owned\x07.pb", "a\nb'\\c\x1b1", "\x9b31m", "ü\x7f", "\udcff.pb"],
    ],
)
def test_a_pasteable_line_says_the_same_and_nothing_to_a_terminal(words: list[str]) -> None:
    line = pasteable(words)
    assert line.isprintable()
    said = subprocess.run(["bash", "-c", f"printf '%s\\0' {line}"], capture_output=True, check=True).stdout
    assert said.split(b"\0")[:-1] == [os.fsencode(word) for word in words]


def test_a_path_is_shown_without_what_a_terminal_acts_on() -> None:
    assert safe_path(Path("/a/\x1b[2Jb\n/c")) == "/a/b /c"
    long = "/" + 1000 * "long/"
    assert safe_path(long) == long[:4095] + "…"
