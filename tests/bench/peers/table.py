"""BENCHMARKS.md, and the README's table of results, as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from peers.runs import Row

_HEADER = (
    "",
    "score",
    "lost (95 %)",
    "ms, batch 1",
    "ms, batch 32",
    "conversion",
    "memory to convert",
    "to serve",
    "size",
)
BEGIN, END = "<!-- results: tests/bench/peers -->\n", "<!-- end of results -->\n"
Tables = Mapping[str, tuple[str, Sequence[Row]]]


def benchmarks(machine: Mapping[str, str], tables: Tables) -> str:
    """The whole file.

    Args:
        machine: date, cpu, flags, threads, python, revision, load.
        tables: of each graph what its score is, and the rows, FP32 first.
    """
    threads = f"{machine['threads']} thread{'s' * (machine['threads'] != '1')}"
    how = (
        f"{machine['cpu']} ({machine['flags']}), {threads}, {machine['date']}, revision {machine['revision']}. Each "
        "peer in an environment of its own, of the versions in `tests/bench/peers/environments.py`; same graphs, "
        "calibration samples and threads; models run in turns, medians; scores on samples that did not calibrate. What "
        "failed is told by its last words; what a peer does better than we do is bold. Load of the machine at "
        f"the beginning: {machine['load']} cores. Made by "
        "`make bench-peers`."
    )
    parts = ["# Benchmarks", "", how, ""]
    for graph, (title, rows) in tables.items():
        parts += [f"## {graph}", "", f"Score: {title}.", "", *_table(rows), ""]
        parts += [*_winners(rows), ""]
    return "\n".join(parts).rstrip() + "\n"


def _table(rows: Sequence[Row]) -> list[str]:
    """FP32 first, then ours; what a peer does better than we do is bold."""
    fp32 = rows[0].figures
    lines = [_HEADER, ("---",) * len(_HEADER)]
    for row in rows:
        found = row.figures
        if row.error and "score" not in found:
            lines.append((row.name, f"**{_plain(row.error)}**", *[""] * (len(_HEADER) - 2)))
            continue
        cells = {
            "score": _number(found.get("score"), 2),
            "lost": _lost(fp32, found) if row is not rows[0] else "",
            "ms_1": _number(found.get("ms_1"), 2),
            "ms_32": _number(found.get("ms_32"), 1),
            "seconds": _number(found.get("seconds"), 0, " s"),
            "convert_mb": _number(found.get("convert_mb"), 0, " MB"),
            "serve_mb": _number(found.get("serve_mb"), 0, " MB"),
            "size": _number(found["size"] / 1e6 if "size" in found else None, 2, " MB"),
        }
        better = _better(rows[1].figures, found) if row not in rows[:2] else set()
        lines.append(
            (
                row.name + (f" (**{_plain(row.error)}**)" if row.error else ""),
                *(f"**{cell}**" if key in better else cell for key, cell in cells.items()),
            )
        )
    return [f"| {' | '.join(line)} |" for line in lines]


def _better(ours: Mapping[str, float], theirs: Mapping[str, float]) -> set[str]:
    """In what a peer is better; a score is the more the better, all else the less."""
    both = set(ours) & set(theirs) - {"low", "high"}
    return {key for key in both if (theirs[key] > ours[key] if key == "score" else theirs[key] < ours[key])}


def _winners(rows: Sequence[Row]) -> list[str]:
    """Who is best at what, among those that quantize."""
    found = []
    for key, what, best in (
        ("score", "the best score", max),
        ("ms_1", "the quickest at batch 1", min),
        ("ms_32", "at 32", min),
    ):
        known = [row for row in rows[1:] if key in row.figures]
        if known:
            found.append(f"{what}: {best(known, key=lambda row: row.figures[key]).name}")
    return [f"{'; '.join(found)[:1].upper()}{'; '.join(found)[1:]}."] if found else []


def replaced_in_readme(text: str, machine: Mapping[str, str], tables: Tables) -> str:
    """The README with a short table in the place that is marked for it.

    Raises:
        ValueError: there is no such place.
    """
    head, begin, rest = text.partition(BEGIN)
    _old, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no {BEGIN.strip()} … {END.strip()}")
    names = [row.name for row in next(iter(tables.values()))[1]] if tables else []
    lines = [("graph", *names), ("---",) * (len(names) + 1)]
    for graph, (_title, rows) in tables.items():
        cells = []
        for row in rows:
            score, ms = row.figures.get("score"), row.figures.get("ms_1")
            cells.append("failed" if score is None else f"{score:.1f}, {_number(ms, 1)} ms")
        lines.append((graph, *cells))
    where = f"{machine['cpu']}, {machine['date']}"
    note = f"Score, and milliseconds at batch 1, {where}; all of it: [benchmarks](BENCHMARKS.md)."
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{head}{begin}\n{table}\n\n{note}\n\n{end}{tail}"


def _lost(fp32: Mapping[str, float], found: Mapping[str, float]) -> str:
    if "score" not in fp32 or "score" not in found:
        return ""
    interval = f" ({found['low']:+.2f} to {found['high']:+.2f})" if "low" in found else ""
    return f"{fp32['score'] - found['score']:+.2f}{interval}"


def _number(value: float | None, digits: int, unit: str = "") -> str:
    return "" if value is None else f"{value:.{digits}f}{unit}"


def _plain(text: str) -> str:
    """Text that stays in its cell."""
    return text.replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;")
