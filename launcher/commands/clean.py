"""``launch_quantization clean``: removes what launchers that are gone left, and on request what was built."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from launch_quantization.contract.command_options import CleanOptions
from launch_quantization.output.kept import rescue, trim
from launch_quantization.output.runs import dead_runs, remove_leftovers
from launch_quantization.runtimes.choose import load_kinds
from launch_quantization.stream.sanitize import safe_path, safe_text
from launch_quantization.view.streams import write_line


class _Told:
    """Prints on stderr."""

    def note(self, message: str) -> None:
        write_line(sys.stderr, safe_text(message))

    def warn(self, message: str) -> None:
        write_line(sys.stderr, safe_text(f"warning: {message}"))


def clean(options: CleanOptions) -> int:
    """Remove, and say what; what live launchers use stays.

    Returns:
        0, also when there was nothing to do or no engine to ask.
    """
    count = 0
    for line in _clean_each(options):
        write_line(sys.stdout, f"{'would remove' if options.dry_run else 'removed'} {safe_path(line)}")
        count += 1
    if not count:
        write_line(sys.stdout, "nothing to remove")
    return 0


def _clean_each(options: CleanOptions) -> Iterator[str]:
    if options.dry_run:
        yield from (str(run.staging) for run in dead_runs())
    else:
        yield from remove_leftovers(rescue)
    if options.statistics or options.all:
        yield from (str(path) for path in trim(0, dry_run=options.dry_run))
    for kind in load_kinds():
        yield from kind.clean(options, _Told())
