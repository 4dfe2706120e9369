"""What is a GraphDef by its wire format, and what is none; and that no bytes at all are more than a complaint."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch_quantization.output.graph_message import complaint, complaint_of_saved_model
from tests.launcher.support import graph, message

NODE = message(1, b"n") + message(2, b"Const")


def said(content: bytes, check: Callable[[int], str] = complaint) -> str:
    """The complaint about a file with this content."""
    descriptor = os.memfd_create("graph")
    try:
        os.write(descriptor, content)
        return check(descriptor)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize(
    "content",
    [
        graph(),
        graph("a") + graph("b"),
        message(1, NODE) + message(15, b"of a newer version"),
        message(1, NODE + b"\x78\x01" + b"\x7d" + bytes(4) + b"\x79" + bytes(8)),
        message(4, b"\x08\x01") + b"\x18\x16" + message(1, NODE),
    ],
)
def test_graphs(content: bytes) -> None:
    assert said(content) == ""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (message(4, b"\x08\x01"), "no node"),
        (b"\x0a\x00", "has no name"),
        (message(1, message(1, b"n")), "has no op"),
        (message(1, message(1, b"\xff") + message(2, b"Const")), "is no text"),
        (graph()[:-1], "beyond the end"),
        (graph() + b"\x0a", "cut off"),
        (graph() + b"\x0a\xff\xff\xff\xff\x7f", "beyond the end"),
        (graph() + b"\x80" * 11, "does not end"),
        (graph() + b"\x00\x00", "field 0"),
        (graph() + b"\x08\x01", "wire type 0 has no place"),
        (graph() + b"\x7b", "no wire type 3"),
        (message(1, NODE[:-1]), "beyond the end"),
        (b"\x7fELF" + bytes(60), ""),
        (b"{}", ""),
    ],
)
def test_what_is_none(content: bytes, words: str) -> None:
    assert said(content)
    assert words in said(content)


@given(st.binary(max_size=200))
def test_any_bytes(content: bytes) -> None:
    said(content)
    said(graph() + content)


@given(st.integers(0, len(graph()) - 1), st.integers(0, 255))
def test_a_damaged_byte(place: int, value: int) -> None:
    content = bytearray(graph())
    content[place] = value
    said(bytes(content))


@pytest.mark.shared
def test_real_graphs(shared: Path) -> None:
    found = sorted((shared / "models").rglob("*.pb"))
    assert found
    for path in found[:5]:
        with path.open("rb") as file:
            assert complaint(file.fileno()) == "" or path.name == "saved_model.pb", path


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x08\x01" + message(2, message(1, b"info") + message(2, graph())), ""),
        (message(2, message(2, graph())) + message(2, message(2, graph())), ""),
        (b"", "empty"),
        (b"\x08\x01", "no graph"),
        (graph(), "wire type 2 has no place"),
        (message(2, message(1, b"info")), "no graph"),
        (message(2, message(2, graph()) + message(2, b"")), "no node"),
        (message(2, message(2, graph())[:-1]), "beyond the end"),
        (message(2, message(2, b"\x0a\x00")), "has no name"),
    ],
)
def test_saved_models(content: bytes, words: str) -> None:
    found = said(content, complaint_of_saved_model)
    assert words in found
    assert bool(words) is bool(found)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_saved_model_or_a_complaint(content: bytes) -> None:
    assert isinstance(said(content, complaint_of_saved_model), str)
