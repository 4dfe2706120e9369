"""What was measured, kept for each graph, so that hours may be interrupted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from peers.runs import Row

_MAY_DIFFER = ("date", "load")  # of runs that count as one


class Results:
    """The rows of graphs, in a folder.

    Args:
        folder: for one file a graph; made where it is missing.
        made_with: machine, revision and options; what was measured with others is not taken.
    """

    def __init__(self, folder: Path, made_with: Mapping[str, Any]) -> None:
        self._folder = folder
        self._made_with = {key: value for key, value in made_with.items() if key not in _MAY_DIFFER}

    def get(self, graph: str) -> tuple[str, list[Row]] | None:
        """What the score is, and the rows; None where they are not known."""
        path = self._path(graph)
        if not path.is_file():
            return None
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["made_with"] != self._made_with:
            return None
        return kept["title"], [Row(**row) for row in kept["rows"]]

    def put(self, graph: str, title: str, rows: list[Row]) -> None:
        """Keep them."""
        self._folder.mkdir(parents=True, exist_ok=True)
        kept = {"made_with": self._made_with, "title": title, "rows": [asdict(row) for row in rows]}
        path = self._path(graph)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(kept, indent=1), encoding="utf-8")
        partial.replace(path)

    def _path(self, graph: str) -> Path:
        return self._folder / f"{graph.replace(' ', '_')}.json"
