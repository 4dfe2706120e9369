"""Writes the generated parts of docs/reference: tables of options, exit codes and events, and the report's fields.

    python docs/generate.py            write them anew
    python docs/generate.py --check    say which are stale; status 1 if any

A generated part stands in its page between two comments that name it; what is around it is written by hand. Each part
is a function below, in ``PARTS``; where its facts come from is its own business.
"""

from __future__ import annotations

import argparse
import inspect
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from launch_quantization import errors, events
from launch_quantization.options import build_parser, clean_parser, doctor_parser, run_parser

REFERENCE = ROOT / "docs" / "reference"
EXAMPLE = REFERENCE / "report-example.json"
"""A real report."""

_EXAMPLE_CHARACTERS = 60


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def options() -> str:
    """The options of the plain call, group by group, as argparse has them."""
    return _groups(run_parser())


def sub_commands() -> str:
    """The sub-commands, each with its options."""
    parts = []
    for parser in (build_parser(), doctor_parser(), clean_parser()):
        name = parser.prog.rpartition(" ")[2]
        parts.append(f"### {name}\n\n{parser.description}\n\n{_rows(parser._actions)}")
    return "\n".join(parts)


def _groups(parser: argparse.ArgumentParser) -> str:
    parts = []
    for group in parser._action_groups:
        if _shown(group._group_actions):
            title = "general" if group.title in ("options", "optional arguments") else str(group.title)
            told = f"{group.description}\n\n" if group.description else ""
            parts.append(f"### {title[:1].upper()}{title[1:]}\n\n{told}{_rows(group._group_actions)}")
    return "\n".join(parts)


def _shown(actions: Iterable[argparse.Action]) -> list[argparse.Action]:
    return [action for action in actions if action.help is not argparse.SUPPRESS]


def _rows(actions: Iterable[argparse.Action]) -> str:
    return table(("option", "what it does"), ([_spelling(action), _help(action)] for action in _shown(actions)))


def _spelling(action: argparse.Action) -> str:
    """``-g``, ``--in_graph PATH``: hyphens for underscores are not written out."""
    names = [name for name in action.option_strings if not _is_hyphenated(name, action.option_strings)]
    value = "" if action.nargs == 0 else _value(action)
    return ", ".join(f"`{name}`" for name in names[:-1]) + (", " if names[1:] else "") + f"`{names[-1]}{value}`"


def _is_hyphenated(name: str, names: Sequence[str]) -> bool:
    return name.startswith("--") and any(
        other != name
        and other[2:].replace("_", "-") == name[2:].replace("_", "-")
        and other.count("_") > name.count("_")
        for other in names
    )


def _value(action: argparse.Action) -> str:
    if action.metavar is not None:
        name = str(action.metavar)
    elif action.choices is not None:
        name = "|".join(map(str, action.choices))
    else:
        return ""
    return f" [{name}]" if action.nargs == "?" else f" {name}"


def _help(action: argparse.Action) -> str:
    return str(action.help or "").replace("%%", "%")


def exit_codes() -> str:
    """The codes of the launcher's errors, by their classes, and those of signals."""
    known: dict[int, tuple[str, str]] = {0: ("", "done")}
    for cls in _subclasses(errors.LauncherError):
        told = inspect.getdoc(cls) or ""
        known.setdefault(cls.exit_code, (f"`{cls.kind}`", told.splitlines()[0]))
    known[errors.LauncherError.exit_code] = (f"`{errors.LauncherError.kind}`", "A defect of this tool.")
    return table(("code", "kind", "what it means"), ([str(code), *known[code]] for code in sorted(known)))


def _subclasses(cls: type) -> Iterator[Any]:
    """Of the module of errors, in its order."""
    for found in vars(errors).values():
        if isinstance(found, type) and issubclass(found, cls) and found is not cls:
            yield found


def event_shapes() -> str:
    """A table of the fields of each event."""
    parts = []
    for name, shape in events.SHAPES.items():
        rows = [[f"`{path}`", kind] for path, kind in _fields(shape)]
        parts.append(f"## {name}\n\n{table(('field', 'what it is'), rows)}")
    return "\n".join(parts)


def _fields(shape: Mapping[str, Callable[..., Any]], above: str = "") -> Iterator[tuple[str, str]]:
    for key, clean in shape.items():
        kind, inner = _kind(clean)
        yield above + key, kind
        if inner is not None:
            yield from _fields(inner, f"{above}{key}.")


def _kind(clean: Callable[..., Any]) -> tuple[str, Mapping[str, Any] | None]:
    """What a cleaner lets through, in words, and the shape of an object within."""
    made_by = clean.__qualname__.split(".")[0].removeprefix("_")
    held = inspect.getclosurevars(clean).nonlocals
    if made_by == "optional":
        kind, inner = _kind(held["clean"])
        return f"{kind}, or null", inner
    if made_by == "list":
        kind, inner = _kind(held["clean"])
        return f"list of at most {held['limit']}: {kind}", inner
    if made_by == "object":
        return "object", held["shape"]
    if made_by == "text":
        return f"text, at most {held['limit']} characters", None
    return {"integer": "integer", "number": "number", "boolean": "true or false", "numbers": "numbers by name"}[
        made_by
    ], None


def report_fields() -> str:
    """The fields of a report, by those of a real one."""
    report = json.loads(EXAMPLE.read_text("utf-8"))
    return table(("field", "type", "in the example"), _values(report))


def _values(value: Mapping[str, Any], above: str = "") -> Iterator[list[str]]:
    for key, item in value.items():
        name = f"{above}{key}"
        if isinstance(item, dict) and item:
            yield [f"`{name}`", "object", ""]
            yield from _values(item, f"{name}.")
        elif isinstance(item, list) and item and isinstance(item[0], dict):
            yield [f"`{name}`", "list of objects", f"{len(item)}"]
            yield from _values(item[0], f"{name}[].")
        else:
            yield [f"`{name}`", _type(item), _shortened(item)]


def _type(value: Any) -> str:
    if value is None:
        return "null here"
    return {bool: "true or false", int: "number", float: "number", str: "text", list: "list", dict: "object"}[
        type(value)
    ]


def _shortened(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return f"`{text}`" if len(text) <= _EXAMPLE_CHARACTERS else f"`{text[:_EXAMPLE_CHARACTERS]}…`"


PARTS: Mapping[str, tuple[str, Callable[[], str]]] = {
    "options": ("options.md", options),
    "sub-commands": ("options.md", sub_commands),
    "exit codes": ("exit-codes.md", exit_codes),
    "events": ("events.md", event_shapes),
    "report": ("report.md", report_fields),
}
"""Name of a generated part -> the page it stands in, and what makes it."""


def replaced(text: str, name: str, new: str) -> str:
    """A page with another text in place of a generated part.

    Raises:
        ValueError: the page has no such part.
    """
    begin, end = f"<!-- generated by docs/generate.py: {name} -->\n", "<!-- end of generated -->\n"
    head, found, rest = text.partition(begin)
    _old, closed, tail = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"there is no part {name!r}: {begin.strip()} … {end.strip()}")
    return f"{head}{begin}\n{new}\n{end}{tail}"


def main(argv: Sequence[str]) -> int:
    """Write all parts anew, or with ``--check`` say which are stale; returns the exit status."""
    stale = []
    for name, (page, make) in PARTS.items():
        path = REFERENCE / page
        text = path.read_text("utf-8")
        new = replaced(text, name, make())
        if new != text:
            stale.append(f"{path.relative_to(ROOT)}: {name}")
            if "--check" not in argv:
                path.write_text(new, "utf-8")
    if stale and "--check" in argv:
        print("stale, run docs/generate.py: " + "; ".join(stale), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
