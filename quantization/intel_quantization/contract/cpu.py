"""CPU flags, as /proc/cpuinfo names them, that decide how fast INT8 is."""

from __future__ import annotations

from typing import List, Sequence

FLAGS = ("avx", "avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
"""In the order of their age."""

INT8_FLAGS = ("avx512_vnni", "avx_vnni", "amx_int8")
"""Each gives dot products of 8-bit integers."""


def flags_of(cpuinfo: str) -> List[str]:
    """Those of FLAGS that the text of /proc/cpuinfo has; all CPUs of a machine are taken to be alike."""
    line = next((line for line in cpuinfo.splitlines() if line.startswith("flags")), "")
    found = set(line.partition(":")[2].split())
    return [name for name in FLAGS if name in found]


def has_int8(flags: Sequence[str]) -> bool:
    """Whether the CPU has dot products of 8-bit integers; without them INT8 gains little or nothing."""
    return any(name in flags for name in INT8_FLAGS)
