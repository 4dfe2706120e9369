"""Writes what is generated of docs/reference, from the contract: tables, and the JSON Schemas.

    python docs/generate.py            write them anew
    python docs/generate.py --check    say which are stale; status 1 if any

A generated part stands in its page between two comments that name it; what is around it is written by hand. Each part
is a function below, in ``PARTS``; where its facts come from is its own business.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from launch_quantization.contract import events, failures, outputs, report, shapes
from launch_quantization.contract.commands import ON_GRAPHS, RUN, SUB_COMMANDS
from launch_quantization.contract.groups import GROUPS
from launch_quantization.contract.json_schema import SCHEMAS
from launch_quantization.contract.option import Option, options_of
from launch_quantization.contract.parser import GENERAL

REFERENCE = ROOT / "docs" / "reference"
SCHEMA_FOLDER = ROOT / "quantization" / "intel_quantization" / "contract" / "schemas"
EXAMPLE = REFERENCE / "report-example.json"
"""A real report."""

_EXAMPLE_CHARACTERS = 60


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def options() -> str:
    """The options of the plain call, group by group."""
    parts = []
    for group in GROUPS:
        rows = [_row(option) for option in options_of(RUN.table) if option.group is group]
        if rows:
            note = f"{group.note}\n\n" if group.note else ""
            parts.append(f"### {group.title[:1].upper()}{group.title[1:]}\n\n{note}{table(_COLUMNS, rows)}")
    general = [[", ".join(f"`{word}`" for word in words if "_" not in word), text] for words, text in GENERAL.values()]
    parts.append(f"### Get a text\n\n{table(_COLUMNS, general)}")
    return "\n".join(parts)


def sub_commands() -> str:
    """The sub-commands, each with its options."""
    parts = []
    for command in SUB_COMMANDS:
        if command in ON_GRAPHS:
            told = command.description.replace("\n  ", "\n    ")
            parts.append(f"### {command.name}\n\n{told}\n\nThe graphs stand first; all options above may follow.\n")
            continue
        rows = [_row(option) for option in options_of(command.table)]
        told = command.description.replace("\n  ", "\n    ")  # a block of code in Markdown
        parts.append(f"### {command.name}\n\n{told}\n\n{table(_COLUMNS, rows)}")
    return "\n".join(parts)


_COLUMNS = ("option", "what it does")


def _row(option: Option) -> list[str]:
    """Hyphens for underscores, and what switches a switch off, are not written out."""
    names = [option.short] if option.short else []
    return [
        ", ".join(f"`{name}`" for name in [*names, option.shown, *(f"--{name}" for name in option.also)]),
        option.help,
    ]


def exit_codes() -> str:
    """The codes, each with its kind."""
    rows = [[str(one.code), f"`{one.kind}`", one.meaning] for one in failures.FAILURES]
    return table(("code", "kind", "what it means"), [["0", "", "Done."], *rows])


def output_files() -> str:
    """What a job leaves."""
    return table(("file", "what it is"), ([f"`NAME{one.suffix}`", one.meaning] for one in outputs.OUTPUTS))


def event_shapes() -> str:
    """A table of the fields of each event."""
    parts = []
    for name, shape in events.EVENTS.items():
        rows = [[f"`{path}`", kind] for path, kind in _fields(shape)]
        parts.append(f"## {name}\n\n{table(('field', 'what it is'), rows)}")
    return "\n".join(parts)


def _fields(shape: shapes.Object, above: str = "") -> Iterator[tuple[str, str]]:
    for key, inner in shape.fields.items():
        yield above + key, _kind(inner)
        held = _held(inner)
        if isinstance(held, shapes.Object):
            yield from _fields(held, f"{above}{key}.")


def _held(shape: object) -> object:
    """The shape within one that may be null, or a list."""
    return _held(shape.of) if isinstance(shape, shapes.Nullable | shapes.ListOf) else shape


def _kind(shape: object) -> str:
    """A shape in words."""
    if isinstance(shape, shapes.Nullable):
        return f"{_kind(shape.of)}, or null"
    if isinstance(shape, shapes.ListOf):
        return f"list: {_kind(shape.of)}" if shape.limit >= report.MOST else _bounded(shape)
    if isinstance(shape, shapes.Text):
        return "text" if shape.limit >= report.MOST else f"text, at most {shape.limit} characters"
    return {
        shapes.Object: "object",
        shapes.Integer: "integer",
        shapes.Number: "number",
        shapes.Boolean: "true or false",
        shapes.Numbers: "numbers by name",
        shapes.Sizes: "list of sizes, `?` for any; or null",
    }[type(shape)]


def _bounded(shape: shapes.ListOf) -> str:
    return f"list of at most {shape.limit}: {_kind(shape.of)}"


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
    "output files": ("outputs.md", output_files),
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


def schema_texts() -> dict[Path, str]:
    """The JSON Schemas, each with the file that it is kept in."""
    return {
        SCHEMA_FOLDER / f"{name}.schema.json": json.dumps(make(), indent=1, ensure_ascii=False) + "\n"
        for name, make in SCHEMAS.items()
    }


def main(argv: Sequence[str]) -> int:
    """Write all anew, or with ``--check`` say what is stale; returns the exit status."""
    fresh: dict[Path, str] = {}
    for name, (page, make) in PARTS.items():
        path = REFERENCE / page
        fresh[path] = replaced(fresh.get(path) or path.read_text("utf-8"), name, make())
    fresh.update(schema_texts())
    stale = [path for path, text in fresh.items() if not path.is_file() or path.read_text("utf-8") != text]
    if "--check" in argv and stale:
        names = ", ".join(str(path.relative_to(ROOT)) for path in stale)
        print(f"stale, run docs/generate.py: {names}", file=sys.stderr)
        return 1
    for path in stale:
        path.write_text(fresh[path], "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
