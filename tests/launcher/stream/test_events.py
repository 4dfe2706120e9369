from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch_quantization.contract.events import EVENTS, LINE_LIMIT
from launch_quantization.stream.events import parse
from tests.launcher.support import RESULT, VERDICT, line

GOOD = {
    "start": {
        "version": "1",
        "tensorflow": "2.14.0",
        "python": "3.11.7",
        "cpu": ["avx2"],
        "onednn": True,
        "threads": None,
    },
    "stage": {"name": "read", "index": 1, "total": 6},
    "progress": {"stage": "calibrate", "done": 1, "total": 10, "unit": "images"},
    "log": {"level": "warning", "message": "hm"},
    "result": RESULT,
    "looked": {
        "task": "evaluate",
        "graphs": ["a.pb", "b.pb"],
        "verdict": VERDICT,
        "lines": ["top-1 80.00 on 500 images"],
        "accuracy": RESULT["accuracy"],
    },
    "error": {"kind": "bad_input", "message": "no", "remedy": "yes"},
    "end": {"exit_code": 0},
}


@pytest.mark.parametrize("name", EVENTS)
def test_every_event_is_read_back(name: str) -> None:
    event = parse(line(name, **GOOD[name]))
    assert event is not None
    assert (event.name, event.time, event.data) == (name, 1.5, GOOD[name])
    assert json.loads(event.as_json()) == {"event": name, "time": 1.5, **GOOD[name]}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"{",
        b"[]",
        b"null",
        b"plain words",
        b'{"event": "other"}',
        b'{"event": ["stage"]}',
        b'{"event": "stage"}',
        b'{"event": "end", "exit_code": true}',
        b'{"event": "end", "exit_code": -1}',
        b'{"event": "end", "exit_code": 1e3}',
        b'{"event": "end", "exit_code": ' + b"1" * 6000 + b"}",
        b'{"event": "end", "exit_code": 0, "deep": ' + b"[" * 30000 + b"}",
        b'{"event": "log", "level": "info", "message": "\xff"}',
        b'{"event": "end", "exit_code": 0, "long": "' + b"x" * LINE_LIMIT + b'"}',
        b'{"event": "stage", "name": 1, "index": 1, "total": 6}',
    ],
    ids=lambda text: text[:40].decode(errors="replace"),
)
def test_anything_else_is_no_event(text: bytes) -> None:
    assert parse(text) is None


def test_strings_are_made_safe_and_unknown_fields_dropped() -> None:
    event = parse(line("log", level="info", message="a\x1b]0;title\x07b\x1b[31mc\rd", evil="x"))
    assert event is not None
    assert event.data == {"level": "info", "message": "abc d"}


def test_lists_and_strings_are_bounded() -> None:
    event = parse(line("start", **{**GOOD["start"], "cpu": ["x" * 99] * 99}))
    assert event is not None
    assert len(event.data["cpu"]) == 64
    assert {len(flag) for flag in event.data["cpu"]} == {32}


def test_what_json_cannot_hold_becomes_null() -> None:
    accuracy = dict(RESULT["accuracy"], sqnr_db=float("inf"))  # type: ignore[call-overload]
    event = parse(line("result", **{**RESULT, "accuracy": accuracy}))
    assert event is not None
    assert event.data["accuracy"]["sqnr_db"] is None
    assert "Infinity" not in event.as_json()


@given(st.binary(max_size=300))
def test_no_bytes_upset_the_parser(text: bytes) -> None:
    parse(text)
    parse(b"{" + text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@given(st.sampled_from(sorted(EVENTS)), st.data())
def test_no_values_upset_the_parser(name: str, data: st.DataObject) -> None:
    fields = {key: data.draw(st.just(GOOD[name][key]) | JSON) for key in EVENTS[name].fields}
    event = parse(line(name, **fields))
    if event is not None:
        again = parse(event.as_json().encode())
        assert again == event
