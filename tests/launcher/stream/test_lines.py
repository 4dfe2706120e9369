from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from launch_quantization.stream.lines import LineSplitter


def split(chunks: list[bytes], limit: int = 65536) -> list[bytes]:
    splitter = LineSplitter(limit)
    lines = [line for chunk in chunks for line in splitter.feed(chunk)]
    return lines + splitter.flush()


def test_lines_across_chunks() -> None:
    assert split([b"a", b"b\nc", b"d\r", b"\ne"]) == [b"ab", b"cd", b"e"]


def test_an_endless_line_is_cut_and_what_follows_is_whole() -> None:
    assert split([b"x" * 10] * 100 + [b"\nnext\n"], limit=25) == [b"x" * 25, b"next"]


@given(st.lists(st.binary(max_size=20)))
def test_chunks_do_not_matter(chunks: list[bytes]) -> None:
    whole = b"".join(chunks).replace(b"\r", b"\n")
    assert split(chunks) == [line for line in whole.split(b"\n") if line]
