from __future__ import annotations

import errno
import struct

import pytest

from launch_quantization.runtimes.local.seccomp import REFUSED, seccomp_filter

_ALLOW, _KILL, _EPERM, _ENOSYS = 0x7FFF0000, 0x80000000, 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS
_X86_64 = 0xC000003E


def verdict(number: int, *arguments: int, architecture: int = _X86_64) -> int:
    """What the program says of a call, by doing what the kernel does."""
    data = struct.pack("=IIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    program = [struct.unpack_from("=HBBI", seccomp_filter(), at) for at in range(0, len(seccomp_filter()), 8)]
    at, held = 0, 0
    while True:
        code, when_true, when_false, value = program[at]
        at += 1
        if code == 0x06:
            return value
        if code == 0x20:
            (held,) = struct.unpack_from("=I", data, value)
            continue
        holds = {0x15: held == value, 0x35: held >= value, 0x45: bool(held & value)}[code]
        at += when_true if holds else when_false


def test_calls_of_a_computation_pass() -> None:
    for number in set(range(335)) - set(REFUSED.values()):
        assert verdict(number) == _ALLOW, number


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_calls_that_are_refused(name: str) -> None:
    assert verdict(REFUSED[name]) == _EPERM


def test_threads_pass_and_new_namespaces_do_not() -> None:
    threads = 0x3D0F00
    assert verdict(56, threads) == _ALLOW
    for flag in (0x10000000, 0x20000000, 0x40000000, 0x02000000, 0x00020000 | 0x04000000):
        assert verdict(56, threads | flag) == _EPERM
    assert verdict(435) == _ENOSYS


def test_calls_by_an_argument() -> None:
    assert verdict(16, 0, 0x5401) == _ALLOW  # TCGETS
    assert verdict(16, 0, 0x5412) == verdict(16, 0, 0x541C) == _EPERM
    assert verdict(16, 0, 0x1_0000_5412) == _EPERM  # the kernel reads 32 bits
    assert verdict(41, 1) == verdict(41, 2) == _ALLOW
    assert verdict(41, 38) == verdict(41, 40) == _EPERM


def test_other_interfaces_of_the_kernel() -> None:
    assert verdict(1, architecture=0x40000003) == _KILL  # 32 bits
    assert verdict(0x40000000 | 165) == _EPERM  # x32
