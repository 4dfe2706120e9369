"""``launch_quantization verify``: are the files of a run, and what went into it, as its manifest says?"""

from __future__ import annotations

import sys
from pathlib import Path

from launch_quantization.contract.command_options import VerifyOptions
from launch_quantization.errors import BadInputError, DifferentError
from launch_quantization.output.manifest import compare_files, compare_input, read_manifest
from launch_quantization.stream.sanitize import safe_text
from launch_quantization.view.streams import write_line


def verify(options: VerifyOptions) -> int:
    """Print a line for each file; 0 where all are as they were.

    Raises:
        BadInputError: there is no such manifest.
        DifferentError: something is not as it says.
    """
    path, manifest = read_manifest(options.manifest)
    wrong = 0
    for name, what in compare_files(path, manifest["files"]):
        write_line(sys.stdout, safe_text(f"{what or 'as it was':12}{name}"))
        wrong += bool(what)
    if options.inputs:
        run = manifest["run"]
        if run is None:
            raise BadInputError(f"{path} does not say what went in", "it is of a run of before: run it again")
        for entry in run["inputs"]:
            lines = compare_input(entry, Path(entry["path"]))
            for line in lines or [f"as it was   --{entry['option']}: {entry['path']}"]:
                write_line(sys.stdout, safe_text(line))
            wrong += len(lines)
    if wrong:
        raise DifferentError(f"{wrong} not as {path.name} says", "restore them, or run launch_quantization again")
    return 0
