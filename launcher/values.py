"""How the value of an option is read; each reader is an argparse type."""

from __future__ import annotations

import argparse
import re

ALGORITHMS = ("AUTO", "DIRECT", "MA", "KL", "PERCENTILE", "MSE")
TARGET_CPUS = ("any", "vnni")
_TRUE = frozenset(("1", "true", "yes", "on"))
_FALSE = frozenset(("0", "false", "no", "off"))
_SIZE_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_TIME_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def boolean(text: str) -> bool:
    """Read true/false, yes/no, on/off, 1/0."""
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")


def positive_int(text: str) -> int:
    """Read a whole number of at least 1."""
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def whole_number(text: str) -> int:
    """Read a whole number, 0 included."""
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def points(text: str) -> float:
    """Read a number of points, hundredths of what is measured; 0 included."""
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,6})?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of points such as 1 or 0.5")
    return float(text)


def cpu_count(text: str) -> float:
    """Read a number of CPUs, fractions allowed."""
    if not re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,3})?", text) or float(text) < 0.01:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of CPUs such as 4 or 1.5")
    return float(text)


def memory_size(text: str) -> int:
    """Read a size with unit b, k, m, g or t (powers of 1024) into bytes; 6m is the least an engine takes."""
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,3})?)\s*([bkmgt]?)(?:i?b)?", text.lower())
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 4g or 512m")
    size = int(float(match[1]) * _SIZE_UNITS[match[2]])
    if size < 6 << 20:
        raise argparse.ArgumentTypeError(f"{text!r} is less than 6m, the least an engine accepts")
    return size


def duration(text: str) -> float:
    """Read a time with unit s, m or h into seconds."""
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)\s*([smh]?)", text.lower())
    if match is None or float(match[1]) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 90, 90s, 15m or 2h")
    return float(match[1]) * _TIME_UNITS[match[2]]


def patience(text: str) -> float:
    """Read a time into seconds; 0 is no limit."""
    return 0.0 if re.fullmatch(r"0+[smh]?", text) else duration(text)


def image_reference(text: str) -> str:
    """Read an image reference; the daemon judges the rest."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._\-/:@]{0,511}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not an image reference such as quantization:latest")
    return text


def variant(text: str) -> str:
    """Read the name of a TensorFlow variant; it becomes part of file names."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", text) or ".." in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not the name of a TensorFlow variant such as 2.14")
    return text


def algorithm(text: str) -> str:
    """Read the name of a calibration algorithm, upper or lower case."""
    if text.upper() not in ALGORITHMS:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(ALGORITHMS)}")
    return text.upper()


def release(text: str) -> str:
    """Read a TensorFlow version; whether anything is known of it is found out inside."""
    if not re.fullmatch(r"[0-9]{1,3}\.[0-9]{1,3}(\.[0-9]{1,3})?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a TensorFlow version such as 1.15 or 2.14")
    return text


def names(text: str) -> tuple[str, ...]:
    """Read names separated by commas; empty ones are dropped."""
    return tuple(name for name in (part.strip() for part in text.split(",")) if name)
