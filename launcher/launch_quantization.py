"""The command: ``python launcher/launch_quantization.py …``, installed as ``launch_quantization``."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

if not __package__:
    # Run as a file: Python put launcher/ itself on the path, whose modules belong to a package.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from launcher import signals
from launcher.cli import main as run
from launcher.errors import Interrupted, LauncherError


def main() -> int:
    """Entry point; returns the exit code."""
    signals.install()
    try:
        return run(sys.argv[1:])
    except Interrupted as interruption:  # a further signal, while the first was being told
        return interruption.exit_code
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in ("docker", "platformdirs", "rich"):
            return _internal(error)
        here = Path(__file__).resolve().parent.parent
        sys.stderr.write(
            f"error: the Python package {error.name} is missing\n  {sys.executable} -m pip install {here}\n"
        )
        return LauncherError.exit_code
    except Exception as error:  # noqa: BLE001 - the outermost frame: exit code 70 instead of Python's 1
        return _internal(error)
    finally:
        signals.retire()


def _internal(error: Exception) -> int:
    """A defect: one line, and the traceback for the report only on request."""
    if "--verbose" in sys.argv:
        traceback.print_exc()
    sys.stderr.write(
        f"error: internal: {type(error).__name__}: {error}\n"
        "  this is a defect of the launcher; please report it with the output of the same call with --verbose\n"
    )
    return LauncherError.exit_code


if __name__ == "__main__":
    sys.exit(main())
