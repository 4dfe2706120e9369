"""Prints the Python of the local runtime's environment, making the environment first if it is missing."""

from __future__ import annotations

import sys

from launcher.errors import LauncherError
from launcher.job import DEFAULT_TENSORFLOW
from launcher.local_runtime import LocalRuntime


def main() -> int:
    """Returns the exit status."""
    runtime = LocalRuntime(DEFAULT_TENSORFLOW)
    try:
        runtime.ensure(lambda line: print(line, file=sys.stderr))
    except LauncherError as error:
        print(f"tests: error: {error.message}; {error.remedy}", file=sys.stderr)
        return error.exit_code
    print(runtime.environment.python)
    return 0


if __name__ == "__main__":
    sys.exit(main())
