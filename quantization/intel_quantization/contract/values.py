"""Types of options: how a value is read from a command line and checked in the JSON of a job, and what it looks like.

``read`` takes a text and gives the value, ``check`` takes what JSON holds and gives the same; both raise BadValueError.
A type whose options stay in the launcher is never checked.
"""

from __future__ import annotations

import math
import re
import sys
from typing import Any, Callable, Dict, NamedTuple, Tuple

from .nearest import did_you_mean
from .paths import is_inside
from .resizing import RULES, parse_resizing
from .words import (
    ALGORITHMS,
    CHANNEL_ORDERS,
    FORMS,
    IMAGE_ACTIONS,
    NO_DATA,
    PREPROCESSINGS,
    RUNTIMES,
    SHELLS,
    TARGET_CPUS,
    TASKS,
)

_TRUE = frozenset(("1", "true", "yes", "on"))
_FALSE = frozenset(("0", "false", "no", "off"))
_SIZE_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_TIME_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
_CHANNELS = (1, 3)


class BadValueError(ValueError):
    """A value that its type does not take: of a text a sentence, of JSON what was expected."""


class Value(NamedTuple):
    """A type.

    Attributes:
        metavar: what stands for a value in the help; empty: the choices, or for a flag nothing.
        read: from the command line.
        check: from the JSON of a job.
        schema: the JSON Schema of what ``check`` takes.
        choices: all values, where there are few.
        hint: what to complete: ``file``, ``directory`` or nothing.
        is_flag: it takes no value: given, it is True.
        is_switch: it may be given with a value, without one, and as ``--no_NAME``.
        is_list: giving it again adds to it.
    """

    metavar: str
    read: Callable[[str], Any]
    check: Callable[[Any], Any]
    schema: Dict[str, Any]
    choices: Tuple[str, ...] = ()
    hint: str = ""
    is_flag: bool = False
    is_switch: bool = False
    is_list: bool = False


def _require(value: Any, ok: bool, expected: str) -> Any:
    if not ok:
        raise BadValueError(expected)
    return value


def _never(value: Any) -> Any:
    raise BadValueError("nothing: it stays in the launcher")


def _read_text(text: str) -> str:
    return text


def _read_boolean(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise BadValueError("%r is neither true nor false" % text)


def _read_names(text: str) -> Tuple[str, ...]:
    """Names separated by commas; empty ones are dropped."""
    return tuple(name for name in (part.strip() for part in text.split(",")) if name)


def _read_numbers(text: str) -> Tuple[float, ...]:
    """One or three numbers, separated by commas; 1/255 is one, too."""
    found = tuple(_read_number(part.strip(), text) for part in text.split(","))
    if len(found) not in _CHANNELS:
        raise BadValueError("%r has %d numbers: give one, or one for each of 3 channels" % (text, len(found)))
    return found


def _read_number(part: str, text: str) -> float:
    over, slash, under = part.partition("/")
    try:
        value = float(over) / (float(under) if slash else 1.0)
    except (ValueError, ZeroDivisionError):
        value = math.nan
    if not math.isfinite(value):
        raise BadValueError("%r is no number such as 127.5 or 1/255, or three such with commas" % text)
    return value


def _read_resizing(text: str) -> str:
    try:
        parse_resizing(text)
    except ValueError:
        raise BadValueError("%r is none of %s" % (text, RULES)) from None
    return text


def _read_cpu_count(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,3})?", text) or float(text) < 0.01:
        raise BadValueError("%r is not a number of CPUs such as 4 or 1.5" % text)
    return float(text)


def _read_points(text: str) -> float:
    """Hundredths of what is measured."""
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,6})?", text):
        raise BadValueError("%r is not a number of points such as 1 or 0.5" % text)
    return float(text)


def _check_points(value: Any) -> float:
    return float(_require(value, _is_number(value) and value >= 0, "a number of points from 0"))


def _read_size(text: str) -> int:
    """With unit b, k, m, g or t (powers of 1024) into bytes; 6m is the least an engine takes."""
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,3})?)\s*([bkmgt]?)(?:i?b)?", text.lower())
    if match is None:
        raise BadValueError("%r is not a size such as 4g or 512m" % text)
    size = int(float(match.group(1)) * _SIZE_UNITS[match.group(2)])
    if size < 6 << 20:
        raise BadValueError("%r is less than 6m, the least an engine accepts" % text)
    return size


def _read_duration(text: str) -> float:
    """With unit s, m or h into seconds."""
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)\s*([smh]?)", text.lower())
    if match is None or float(match.group(1)) <= 0:
        raise BadValueError("%r is not a time such as 90, 90s, 15m or 2h" % text)
    return float(match.group(1)) * _TIME_UNITS[match.group(2)]


def _read_patience(text: str) -> float:
    """Into seconds; 0 is no limit."""
    return 0.0 if re.fullmatch(r"0+[smh]?", text) else _read_duration(text)


def _matching(pattern: str, what: str, forbidden: str = "") -> Callable[[str], str]:
    def read(text: str) -> str:
        if not re.fullmatch(pattern, text) or (forbidden and forbidden in text):
            raise BadValueError("%r is not %s" % (text, what))
        return text

    return read


def _check_boolean(value: Any) -> bool:
    return bool(_require(value, isinstance(value, bool), "true or false"))


def _check_names(value: Any) -> Tuple[str, ...]:
    ok = isinstance(value, list) and all(isinstance(item, str) and item for item in value)
    return tuple(_require(value, ok, "a list of names"))


def _check_text(value: Any) -> str:
    return str(_require(value, isinstance(value, str) and bool(value) and "\0" not in value, "a text"))


def _check_path(value: Any) -> str:
    return str(_require(_check_text(value), is_inside(value), "a path inside the workspace"))


def _check_function(value: Any) -> str:
    path, _colon, name = _check_text(value).rpartition(":")
    return str(_require(value, is_inside(path) and name.isidentifier(), "FILE.py:FUNCTION inside the workspace"))


def _check_resizing(value: Any) -> str:
    try:
        parse_resizing(_check_text(value))
    except ValueError as error:
        raise BadValueError("one of %s: %s" % (RULES, error)) from None
    return str(value)


_read_version = _matching(r"[0-9]{1,3}\.[0-9]{1,3}(\.[0-9]{1,3})?", "a TensorFlow version such as 1.15 or 2.14")


def _check_version(value: Any) -> str:
    try:
        return _read_version(_check_text(value))
    except BadValueError:
        raise BadValueError("a TensorFlow version such as 1.15 or 2.14") from None


def _check_numbers(zero: bool) -> Callable[[Any], Tuple[float, ...]]:
    expected = "one or three numbers" if zero else "one or three numbers, none of them 0"

    def check(value: Any) -> Tuple[float, ...]:
        ok = isinstance(value, list) and len(value) in _CHANNELS and all(map(_is_number, value))
        _require(value, ok and (zero or all(value)), expected)
        return tuple(float(number) for number in value)

    return check


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _whole(least: int, what: str, metavar: str = "N") -> Value:
    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < least:
            raise BadValueError("%r is not %s" % (text, what))
        return int(text)

    def check(value: Any) -> int:
        ok = isinstance(value, int) and not isinstance(value, bool) and value >= least
        return int(_require(value, ok, "a whole number from %d" % least))

    return Value(metavar, read, check, {"type": "integer", "minimum": least})


def _choice(names: Tuple[str, ...], metavar: str = "", *, upper: bool = False) -> Value:
    def read(text: str) -> str:
        name = text.upper() if upper else text
        if name not in names:
            guess = did_you_mean(name, names)
            raise BadValueError("%r is none of %s%s" % (text, ", ".join(names), guess and "; " + guess))
        return name

    def check(value: Any) -> str:
        return str(_require(value, isinstance(value, str) and value in names, "one of " + ", ".join(names)))

    return Value(metavar, read, check, {"enum": list(names)}, names)


_TEXT = {"type": "string", "minLength": 1}
_NUMBERS = {"type": "array", "items": {"type": "number"}, "minItems": 1, "maxItems": 3}

FLAG = Value("", _read_boolean, _check_boolean, {"type": "boolean"}, is_flag=True)
"""Off, until it is given."""
SWITCH = Value("BOOL", _read_boolean, _check_boolean, {"type": "boolean"}, is_switch=True)
"""On, until ``--no_NAME`` is given, or ``--NAME false``."""
TEXT = Value("NAME", _read_text, _check_text, _TEXT)
COMMAND = Value("COMMAND", _read_text, _check_text, _TEXT)
PATH = Value("PATH", _read_text, _check_path, _TEXT, hint="file")
FILE = Value("FILE", _read_text, _check_path, _TEXT, hint="file")
DIRECTORY = Value("DIR", _read_text, _check_path, _TEXT, hint="directory")
FUNCTION = Value("FILE.py:NAME", _read_text, _check_function, _TEXT, hint="file")
NAMES = Value("A,B", _read_names, _check_names, {"type": "array", "items": _TEXT}, is_list=True)
COUNT = _whole(1, "a whole number of at least 1")
WHOLE = _whole(0, "a whole number")
NUMBERS = Value("X[,Y,Z]", _read_numbers, _check_numbers(True), _NUMBERS)
FACTORS = Value("X[,Y,Z]", _read_numbers, _check_numbers(False), _NUMBERS)
RESIZING = Value("RULE", _read_resizing, _check_resizing, _TEXT)
VERSION = Value("VERSION", _read_version, _check_version, _TEXT)
ALGORITHM = _choice(ALGORITHMS, "NAME", upper=True)
PREPROCESSING = _choice(PREPROCESSINGS, "NAME")
CHANNEL_ORDER = _choice(CHANNEL_ORDERS, "ORDER")
TARGET_CPU = _choice(TARGET_CPUS, "CPU")
RUNTIME = _choice(RUNTIMES, "WHERE")
SHELL = _choice(SHELLS)
IMAGE_ACTION = _choice(IMAGE_ACTIONS)
CPU_COUNT = Value("N", _read_cpu_count, _never, {})
POINTS = Value("POINTS", _read_points, _check_points, {"type": "number", "minimum": 0})
DATA = _choice((NO_DATA,), NO_DATA)
FORM = _choice(FORMS, "FORM")
TASK = _choice(TASKS, "TASK")
SIZE = Value("SIZE", _read_size, _never, {})
DURATION = Value("TIME", _read_duration, _never, {})
PATIENCE = Value("TIME", _read_patience, _never, {})
IMAGE = Value(
    "IMAGE",
    _matching(r"[A-Za-z0-9][A-Za-z0-9._\-/:@]{0,511}", "an image reference such as quantization:latest"),
    _never,
    {},
)
VARIANT = Value(
    "VARIANT",
    _matching(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "the name of a TensorFlow variant such as 2.14", ".."),
    _never,
    {},
)
"""It becomes part of file names."""
