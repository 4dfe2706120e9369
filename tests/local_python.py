"""Prints the Python of the local runtime's environment, making the environment first if it is missing.

Takes the TensorFlow variant; none or an empty one is the default.
"""

from __future__ import annotations

import sys

from launch_quantization.contract.words import DEFAULT_TENSORFLOW
from launch_quantization.errors import LauncherError
from launch_quantization.runtimes.local.runtime import LocalRuntime


def main() -> int:
    """Returns the exit status."""
    variant = "".join(sys.argv[1:]) or DEFAULT_TENSORFLOW
    try:
        runtime = LocalRuntime(variant)
        runtime.ensure(lambda line: print(line, file=sys.stderr))
    except LauncherError as error:
        print(f"tests: error: {error.message}; {error.remedy}", file=sys.stderr)
        return error.exit_code
    print(runtime.environment.python)
    return 0


if __name__ == "__main__":
    sys.exit(main())
