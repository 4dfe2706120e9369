"""Builds the image of a tiny context, as a process of its own: ``python builder.py ROOT VARIANT``."""

from __future__ import annotations

import sys
from pathlib import Path

from launch_quantization import signals
from launch_quantization.building import context as build_context
from launch_quantization.errors import Interrupted, LauncherError
from launch_quantization.runtimes.docker.engine import connect
from launch_quantization.runtimes.docker.image import provenance
from launch_quantization.runtimes.docker.image.build import ImageSpec, ensure_image


def main() -> int:
    """Print the steps and the tag; 1 with the error where there is one."""
    root = Path(sys.argv[1])
    build_context.context_root = provenance.context_root = lambda: root
    signals.install()
    try:
        print(ensure_image(connect(), ImageSpec(sys.argv[2]), lambda line: print(line, flush=True)))
    except LauncherError as error:
        print(f"error: {error.message}")
        return 1
    except Interrupted as interruption:
        return interruption.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
