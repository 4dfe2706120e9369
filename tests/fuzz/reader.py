"""What a reader is to the fuzzers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable


@dataclass(frozen=True)
class Reader:
    """Something that reads bytes.

    Attributes:
        read: called with a folder to write to and the bytes; may raise this tool's own errors only.
        seeds: what it reads without an error.
    """

    read: Callable[[str, bytes], None]
    seeds: tuple[bytes, ...]
