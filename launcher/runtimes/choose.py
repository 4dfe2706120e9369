"""Which runtime a call gets: the one that ``--runtime`` names; with ``auto`` the first that can be had here."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TypeVar

from launch_quantization.building.context import lock_file
from launch_quantization.building.site import ca_path
from launch_quantization.contract.options import PlaceOptions, RunOptions
from launch_quantization.contract.words import AUTO, TRIED
from launch_quantization.errors import LauncherError
from launch_quantization.runtimes.kind import Kind, Told
from launch_quantization.runtimes.runtime import Runtime
from launch_quantization.stream.lines import BuildLog

Found = TypeVar("Found")


def load_kinds(name: str = AUTO) -> list[Kind]:
    """Those that ``--runtime`` means; ``auto`` means those it tries, in that order."""
    return [_load(one) for one in _list_names(name)]


def _list_names(name: str) -> tuple[str, ...]:
    return TRIED if name == AUTO else (name,)


def _load(name: str) -> Kind:
    kind: Kind = importlib.import_module(f"launch_quantization.runtimes.{name}.kind").KIND
    return kind


def try_kinds(
    options: PlaceOptions, attempt: Callable[[Kind], Found], going_on: Callable[[Kind, Kind, str], None]
) -> Found:
    """What the attempt gives with the first kind that can be had here.

    Args:
        options: with ``runtime``, ``tensorflow``, ``ca_bundle``.
        attempt: may raise an error that is ``elsewhere``.
        going_on: called before the next one is tried, with the kind that failed, the next one, and why.

    Raises:
        UsageError: no such variant, or a --ca-bundle that is none.
        LauncherError: what the attempt raises: that with the last kind, or one that no other kind would mend.
    """
    lock_file(options.tensorflow)  # an unknown variant is a usage error before anything else
    ca_path(options)
    first, *others = _list_names(options.runtime)
    kind = _load(first)
    for name in others:
        try:
            return attempt(kind)
        except LauncherError as error:
            if not error.elsewhere:
                raise
            other = _load(name)  # only now: each takes its time to import
            going_on(kind, other, error.message)
            kind = other
    return attempt(kind)


def choose_runtime(options: RunOptions[str], told: Told, run_id: str | None) -> Runtime:
    """The runtime that the options ask for; nothing is built yet.

    Args:
        options: of the call.
        told: in one line why ``auto`` goes on to another one, and what could not be cleaned up.
        run_id: id of the record of this run; None where nothing will be run.

    Raises:
        UsageError: no such variant, more CPUs or memory than there is, or a --ca-bundle that is none.
        EngineUnreachableError: ``--runtime docker``, and no engine answers; ``bwrap``, and no wall holds.
        EngineTooOldError: ``--runtime docker``, and the engine is too old.
    """
    return try_kinds(options, lambda kind: kind.open(options, run_id, told), _say_why(told))


def ready_runtime(options: RunOptions[str], told: Told, run_id: str | None, log: BuildLog) -> Runtime:
    """The same with all that a job needs in it.

    Raises:
        LauncherError: what ``choose_runtime`` and ``Runtime.ensure`` raise.
    """

    def attempt(kind: Kind) -> Runtime:
        runtime = kind.open(options, run_id, told)
        told.note(runtime.describe())
        kind.ensure(runtime, options, log)
        return runtime

    return try_kinds(options, attempt, _say_why(told))


def _say_why(told: Told) -> Callable[[Kind, Kind, str], None]:
    return lambda kind, other, why: told.note(f"not {kind.where}, but {other.where}: {why}")
