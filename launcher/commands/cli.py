"""From argv to exit code: picks the sub-command, and turns every failure into its line and code."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

from launch_quantization.commands.options import graph_options, read_options, run_options
from launch_quantization.contract import commands
from launch_quantization.contract.options import ViewOptions
from launch_quantization.errors import Interrupted, LauncherError
from launch_quantization.signals import shield
from launch_quantization.view.streams import silence

if TYPE_CHECKING:  # views are imported where there is something to show: --help shows itself
    from launch_quantization.view.base import View


class _InterruptedError(LauncherError):
    """How an interruption is told; its exit code comes from the signal."""

    kind = "interrupted"


def main(argv: list[str]) -> int:
    """Run the command line.

    Args:
        argv: without the program's name.

    Returns:
        The exit code.
    """
    try:
        command, view = _prepare(argv)
    except LauncherError as error:
        with shield():
            return _tell_end(_make_early_view(argv), error)
    except Interrupted as interruption:
        with shield():
            return _tell_interruption(_make_early_view(argv), interruption)
    return _run_guarded(lambda: command(view), view)


def _prepare(argv: list[str]) -> tuple[Callable[[View], int], View]:
    """Parse; returns what to run, and the view that its options ask for."""
    name = argv[0] if argv else ""
    if name == commands.DOCTOR.name:
        from launch_quantization.commands.doctor import doctor

        to_doctor = read_options(commands.DOCTOR, argv[1:])
        return (lambda _view: doctor(to_doctor)), _make_plain_view()
    if name == commands.CLEAN.name:
        from launch_quantization.commands.clean import clean

        to_clean = read_options(commands.CLEAN, argv[1:])
        return (lambda _view: clean(to_clean)), _make_plain_view()
    if name == commands.IMAGE.name:
        from launch_quantization.commands.image import save

        to_save = read_options(commands.IMAGE, argv[1:])
        return (lambda view: save(to_save, view)), _view(to_save)
    if name == commands.VERIFY.name:
        from launch_quantization.commands.verify import verify

        to_verify = read_options(commands.VERIFY, argv[1:])
        return (lambda _view: verify(to_verify)), _make_plain_view()
    if name == commands.REPLAY.name:
        from launch_quantization.commands.replay import replay

        to_replay = read_options(commands.REPLAY, argv[1:])
        return (
            lambda view: replay(to_replay, view),
            _choose_view(as_json=False, quiet=to_replay.quiet, verbose=to_replay.verbose),
        )
    if name == commands.COMPLETION.name:
        from launch_quantization.commands.completion import print_completion

        to_complete = read_options(commands.COMPLETION, argv[1:])
        return (lambda _view: print_completion(to_complete)), _make_plain_view()
    if name == commands.BUILD.name:
        to_build = read_options(commands.BUILD, argv[1:])
        from launch_quantization.commands.build import build

        return (lambda view: build(to_build, view)), _view(to_build)
    on_graphs = next((command for command in commands.ON_GRAPHS if command.name == name), None)
    options = run_options(argv) if on_graphs is None else graph_options(on_graphs, argv[1:])
    from launch_quantization.commands.quantize import quantize

    return (lambda view: quantize(options, view)), _make_plain_view() if options.dry_run else _view(options)


def _view(options: ViewOptions) -> View:
    return _choose_view(as_json=options.json, quiet=options.quiet, verbose=options.verbose)


def _choose_view(*, as_json: bool, quiet: bool, verbose: bool) -> View:
    from launch_quantization.view.choose import choose_view

    return choose_view(as_json=as_json, quiet=quiet, verbose=verbose)


def _make_plain_view() -> View:
    from launch_quantization.view.plain import PlainView

    return PlainView()


def _make_early_view(argv: list[str]) -> View:
    """That of what is told before there are options."""
    return _choose_view(as_json=True, quiet=False, verbose=False) if "--json" in argv else _make_plain_view()


def _run_guarded(body: Callable[[], int], view: View) -> int:
    """Run the body; whatever ends it, the user is told and the view closed."""
    try:
        code = body()
        with shield():
            view.close(code)
    except LauncherError as error:
        with shield():
            return _tell_end(view, error)
    except Interrupted as interruption:
        with shield():
            return _tell_interruption(view, interruption)
    return code


def _tell_end(view: View, error: LauncherError) -> int:
    try:
        view.failed(error)
        view.close(error.exit_code)
    except Interrupted as interruption:  # the reader of our output is gone
        return interruption.exit_code
    except LauncherError:
        silence()  # nobody can be told, but for the exit code
    return error.exit_code


def _tell_interruption(view: View, interruption: Interrupted) -> int:
    if interruption.signum == signal.SIGPIPE:
        return interruption.exit_code
    name = signal.Signals(interruption.signum).name
    if interruption.in_place:
        error = _InterruptedError(f"interrupted by {name}; the results were already in place")
    else:
        error = _InterruptedError(f"interrupted by {name}; the job was stopped, and the output is as it was before")
    try:
        view.failed(error)
        view.close(interruption.exit_code)
    except (Interrupted, LauncherError):
        silence()
    return interruption.exit_code
