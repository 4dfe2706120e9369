"""``launch_quantization build``: the image, or the local environment, ahead of the first run."""

from __future__ import annotations

import sys

from launch_quantization.contract.command_options import BuildOptions
from launch_quantization.runtimes.choose import try_kinds
from launch_quantization.stream.sanitize import safe_text
from launch_quantization.view.base import View
from launch_quantization.view.streams import write_line


def build(options: BuildOptions, view: View) -> int:
    """Build what a run would need, with its steps live; prints the image's tag, or the environment's path.

    Raises:
        UsageError: --ca-bundle names no file of PEM certificates.
        BuildError: it could not be built.
        EngineUnreachableError: ``--runtime docker``, and no engine answers.
    """

    def log(line: str) -> None:
        view.build_line(safe_text(line))

    made = try_kinds(
        options,
        lambda kind: kind.build(options, log),
        lambda kind, other, why: view.note(f"making {other.makes} instead of {kind.makes}: {why}"),
    )
    if options.json:
        view.note(made)
    elif not options.quiet:
        write_line(sys.stdout, made)
    return 0
