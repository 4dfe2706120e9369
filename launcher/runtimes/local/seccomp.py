"""The filter of system calls of a walled-in local job, as bubblewrap takes it: a classic BPF program for x86-64.

A namespace keeps a job off files, network and processes, not off the kernel itself. What is refused here is what a
computation never asks for and what breaks out of namespaces have needed: new namespaces and mounts, other processes'
memory, keys, kernel modules, tracing, io_uring, and characters put into the terminal's input.
"""

from __future__ import annotations

import errno
import struct

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE = 0, 4
_FIRST_ARGUMENT = 16
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_X86_64 = 0xC000003E
_X32 = 0x40000000
"""Numbers from here on are those of the x32 interface, which would pass by all that follows."""

REFUSED = {
    "acct": 163, "add_key": 248, "adjtimex": 159, "bpf": 321, "clock_adjtime": 305, "clock_settime": 227,
    "delete_module": 176, "fanotify_init": 300, "finit_module": 313, "fsconfig": 431, "fsmount": 432, "fsopen": 430,
    "fspick": 433, "init_module": 175, "io_uring_enter": 426, "io_uring_register": 427, "io_uring_setup": 425,
    "ioperm": 173, "iopl": 172, "kcmp": 312, "kexec_file_load": 320, "kexec_load": 246, "keyctl": 250,
    "lookup_dcookie": 212, "modify_ldt": 154, "mount": 165, "mount_setattr": 442, "move_mount": 429, "move_pages": 279,
    "name_to_handle_at": 303, "open_by_handle_at": 304, "open_tree": 428, "perf_event_open": 298, "pidfd_getfd": 438,
    "pivot_root": 155, "process_vm_readv": 310, "process_vm_writev": 311, "ptrace": 101, "quotactl": 179,
    "reboot": 169, "request_key": 249, "setns": 308, "settimeofday": 164, "swapoff": 168, "swapon": 167,
    "syslog": 103, "umount2": 166, "unshare": 272, "userfaultfd": 323, "vhangup": 153,
}  # fmt: skip
"""Name -> number on x86-64 of the calls that fail with EPERM."""

_CLONE, _CLONE3, _IOCTL, _SOCKET = 56, 435, 16, 41
_NEW_NAMESPACES = 0x7E020000
_TERMINAL_INPUT = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX."""
_SOCKET_FAMILIES = (38, 40)
"""AF_ALG and AF_VSOCK: not bound to a network namespace."""


def seccomp_filter() -> bytes:
    """The program: 8 bytes an instruction, in the order that the kernel reads them."""
    refuse = _pack_instruction(_RETURN, _ERRNO | errno.EPERM)
    program = [
        _pack_instruction(_LOAD, _ARCHITECTURE),
        _pack_instruction(_EQUAL, _X86_64, 1, 0),
        _pack_instruction(_RETURN, _KILL),
        _pack_instruction(_LOAD, _NUMBER),
        _pack_instruction(_AT_LEAST, _X32, 0, 1),
        refuse,
        # Its flags lie in memory, where no filter sees them; C libraries then take clone.
        _pack_instruction(_EQUAL, _CLONE3, 0, 1),
        _pack_instruction(_RETURN, _ERRNO | errno.ENOSYS),
    ]
    for number in sorted(REFUSED.values()):
        program += [_pack_instruction(_EQUAL, number, 0, 1), refuse]
    program += _by_argument(_CLONE, 0, _ANY_BIT, (_NEW_NAMESPACES,))
    program += _by_argument(_IOCTL, 1, _EQUAL, _TERMINAL_INPUT)
    program += _by_argument(_SOCKET, 0, _EQUAL, _SOCKET_FAMILIES)
    return b"".join([*program, _pack_instruction(_RETURN, _ALLOW)])


def _by_argument(number: int, argument: int, test: int, values: tuple[int, ...]) -> list[bytes]:
    """Refuse a call by the lower half of an argument."""
    checks = [_pack_instruction(_LOAD, _FIRST_ARGUMENT + 8 * argument)]
    for value in values:
        checks += [_pack_instruction(test, value, 0, 1), _pack_instruction(_RETURN, _ERRNO | errno.EPERM)]
    checks.append(_pack_instruction(_LOAD, _NUMBER))
    return [_pack_instruction(_EQUAL, number, 0, len(checks)), *checks]


def _pack_instruction(code: int, value: int, when_true: int = 0, when_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, when_true, when_false, value)
