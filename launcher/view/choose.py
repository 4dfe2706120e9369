"""Which of the four views: a live terminal, plain lines, JSON events, quiet."""

from __future__ import annotations

import os
import sys

from launch_quantization.view.base import View
from launch_quantization.view.plain import PlainView
from launch_quantization.view.streams import is_terminal


def choose_view(*, as_json: bool, quiet: bool, verbose: bool) -> View:
    """The view for these options and this terminal."""
    if as_json:
        from launch_quantization.view.json_view import JsonView

        return JsonView(verbose=verbose)
    if not quiet and is_terminal(sys.stderr) and os.environ.get("TERM", "dumb") != "dumb":
        from launch_quantization.view.terminal import TerminalView

        return TerminalView(verbose=verbose)
    return PlainView(quiet=quiet, verbose=verbose)
