"""Makes the pictures in this folder: a run on a terminal as SVG, and the page of its report as PNG. Both are real.

    python docs/images/record.py FOLDER COMMAND…      run in FOLDER; the pictures are those of what is printed there

Needs what the workshop does not have: pip install pyte rich, and a chromium on PATH.
"""

from __future__ import annotations

import os
import pty
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pyte
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

HERE = Path(__file__).resolve().parent
COLUMNS, ROWS = 104, 400
PAGE = (1000, 1180)
"""Pixels of the top of the report that are shown."""
_FORMAT = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
"""Without fonts from elsewhere."""


def main() -> int:
    """Run, draw; returns the exit status of the command."""
    folder, command = Path(sys.argv[1]), sys.argv[2:]
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    status = _run(folder, command, stream)
    lines = [_line(screen, row) for row in range(ROWS)]
    while lines and not lines[-1].plain.strip():
        lines.pop()
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"), force_terminal=True)  # noqa: SIM115
    console.print(Text("$ " + shlex.join(command), style="bold"))
    for line in lines:
        console.print(line)
    console.save_svg(str(HERE / "terminal.svg"), title="launch_quantization", code_format=_FORMAT)
    for report in folder.glob("*.report.html"):
        _screenshot(report, HERE / "report.png")
    return status


def _run(folder: Path, command: list[str], stream: pyte.ByteStream) -> int:
    """The command on a pseudo-terminal, whose output goes to ``stream``."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(folder)
        os.environ.update(TERM="xterm-256color", COLUMNS=str(COLUMNS), LINES=str(ROWS))
        os.execvp(command[0], command)
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # the terminal's way to say that nobody writes any more
            break
        if not data:
            break
        stream.feed(data)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _line(screen: pyte.Screen, row: int) -> Text:
    text = Text()
    for column in range(COLUMNS):
        cell = screen.buffer[row][column]
        style = " ".join(filter(None, ["bold" if cell.bold else "", _colour(cell.fg)]))
        text.append(cell.data, style=style)
    text.rstrip()
    return text


def _colour(name: str) -> str:
    if name == "default":
        return ""
    return (
        f"#{name}"
        if len(name) == 6 and all(digit in "0123456789abcdef" for digit in name)
        else name.replace("brown", "yellow")
    )


def _screenshot(page: Path, picture: Path) -> None:
    subprocess.run(
        [
            "chromium",
            "--headless",
            "--no-sandbox",
            "--hide-scrollbars",
            f"--window-size={PAGE[0]},{PAGE[1]}",
            f"--screenshot={picture}",
            page.resolve().as_uri(),
        ],
        check=True,
        stderr=subprocess.DEVNULL,
    )


if __name__ == "__main__":
    sys.exit(main())
