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


def what_int8_can_win(flags: Sequence[str]) -> str:
    """What may be hoped for on a CPU with these FLAGS, in a sentence, before anything is measured.

    With VNNI one instruction multiplies four times as many numbers of 8 bits as of 32. Without, three do what in FP32
    four do; the rest of what was measured, up to twice FP32's speed (U-Net, ResNet-8), is memory.
    """
    if not has_int8(flags):
        return (
            f"this CPU has no INT8 dot products, VNNI or AMX ({', '.join(flags) or 'no AVX'}): INT8 is at best "
            "about twice as fast as FP32 here, by its quarter of the memory; small networks may lose"
        )
    found = ", ".join(name for name in INT8_FLAGS if name in flags)
    more = ", with AMX more" if "amx_int8" in flags else ""
    return (
        f"this CPU has INT8 dot products ({found}): INT8 multiplies up to 4 times as fast as FP32{more}; what stays in "
        "FP32, and conversions between the two, take their part of that"
    )
