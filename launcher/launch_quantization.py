"""The command: ``python launcher/launch_quantization.py …``, installed as ``launch_quantization``."""

from __future__ import annotations

import os
import sys

_PACKAGE = os.path.dirname(os.path.realpath(__file__))
_ROOT = os.path.dirname(_PACKAGE)
_DEPENDENCIES = ("docker", "platformdirs", "rich", "shtab")
_INTERNAL = 70

_NAME = "launch_quantization"


def _register() -> None:
    """Let the folder of this file be imported as the package ``launch_quantization``, whatever the folder is called.

    Run as a file, Python knows no package, and has put the folder itself on the path, where its modules would stand
    before those of the same name in the standard library.
    """
    import importlib.util

    sys.path[:] = [entry for entry in sys.path if os.path.realpath(entry or ".") != _PACKAGE]
    place = os.path.join(_PACKAGE, "__init__.py")
    spec = importlib.util.spec_from_file_location(_NAME, place, submodule_search_locations=[_PACKAGE])
    assert spec is not None
    assert spec.loader is not None
    sys.modules[_NAME] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


if not __package__:
    _register()


def main() -> int:
    """Entry point; returns the exit code."""
    _use_utf8()
    from launch_quantization import signals
    from launch_quantization.commands.cli import main as run
    from launch_quantization.errors import Interrupted

    _open_standard_streams()
    signals.install()
    try:
        return run(sys.argv[1:])
    except Interrupted as interruption:  # a further signal, while the first was being told
        return interruption.exit_code
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in _DEPENDENCIES:
            return _tell_internal(error)
        _complain(f"the Python package {error.name} is missing", f"{sys.executable} -m pip install {_ROOT}")
        return _INTERNAL
    except Exception as error:  # noqa: BLE001 - the outermost frame: exit code 70 instead of Python's 1
        return _tell_internal(error)
    finally:
        signals.retire()


def _use_utf8() -> None:
    """Begin again in Python's UTF-8 mode where the locale says otherwise: C, or an old one.

    What a name's bytes mean must not depend on the locale: TensorFlow and container engines take them as UTF-8.
    What is printed stays in the locale's encoding.
    """
    if sys.flags.utf8_mode or sys.getfilesystemencoding().lower() == "utf-8" or not sys.executable:
        return
    encoding = sys.stdout.encoding if sys.stdout is not None else "ascii"
    os.environ["PYTHONIOENCODING"] = f"{encoding}:backslashreplace"
    os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])


def _open_standard_streams() -> None:
    """Without this, the next file opened would take the place of a stream that the caller closed, and its output."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this very one


def _tell_internal(error: Exception) -> int:
    """A defect: one line, and the traceback for the report only on request."""
    if "--verbose" in sys.argv:
        import traceback

        traceback.print_exc()
    _complain(
        f"internal: {type(error).__name__}: {error}",
        "this is a defect of the launcher; please report it with what the same call says with --verbose",
    )
    return _INTERNAL


def _complain(message: str, remedy: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(f"error: {message}\n  {remedy}\n")


if __name__ == "__main__":
    sys.exit(main())
