"""Options that make no sense: each is told before any work."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.faults.place import Place
from tests.faults.table import Row
from tests.launcher.support import graph

OPTIONS: tuple[tuple[str, ...], ...] = (
    ("--max_drop", "nan"),
    ("--max_drop", "-1"),
    ("--max_drop", "1e999"),
    ("--samples", "0"),
    ("--samples", "-1"),
    ("--samples", "9" * 5000),
    ("--evaluate", "-1"),
    ("--batch_size", "0"),
    ("--seed", "x"),
    ("--mean", "nan"),
    ("--std", "0"),
    ("--scale", "inf"),
    ("--mean", "1,2"),
    ("--resize", "crop:-1"),
    ("--preprocess", "\x1b[2J"),
    ("--timeout", "-1s"),
    ("--timeout", "nan"),
    ("--memory", "1e99g"),
    ("--output_limit", "-1"),
    ("--cpus", "nan"),
    ("--metric", "programs.py"),
    ("--metric", "programs.py:os.system"),
    ("--metric", "x.py:__import__('os')"),
    ("--data_function", ":x"),
    ("--task", "delete"),
    ("--algo", "\x1b]0;owned\x07"),
    ("--tune", "--blame", "false"),
    ("--tune", "--evaluate", "0"),
    ("--other_graph", "net.pb"),
    ("--out_graph", "x.txt"),
    ("--out_graph", "a" * 300 + ".pb"),
    ("--callback", "'unbalanced"),
    ("--\x1b[2J",),
    ("\x1b[2J",),
)
"""Each is a usage error."""
COMMANDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("compare", ()),
    ("evaluate", ("-o", "x.pb")),
    ("benchmark", ("--samples", "nan")),
    ("tune", ("--max_drop", "nan")),
    ("completion", ("tcsh",)),
)


def rows(runtime: str, skip: Callable[[str], bool]) -> Iterator[Row]:
    """Run the launcher once for each; ``skip`` is asked by their names."""
    for command, words in [*(("", words) for words in OPTIONS), *COMMANDS]:
        shown = " ".join(word if len(word) < 40 else f"{word[:8]}…" for word in words)
        name = f"option: {command} {shown}".replace("  ", " ").replace("\x1b", "ESC").replace("\x07", "BEL")
        if skip(name):
            continue
        with tempfile.TemporaryDirectory(prefix="options-") as folder:
            yield Place(Path(folder), runtime, dict(os.environ)).fill(graph()).run(name, 2, *words, command=command)
