"""``launch_quantization replay``: do again what a manifest says, in its environment, and compare the results."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from launch_quantization.commands.options import run_options
from launch_quantization.commands.quantize import quantize
from launch_quantization.contract.command_options import ReplayOptions
from launch_quantization.contract.option import options_of
from launch_quantization.contract.options import RunOptions
from launch_quantization.contract.outputs import GRAPH, MANIFEST, REPORT_HTML, REPORT_JSON, REPORT_MARKDOWN
from launch_quantization.errors import BadInputError, DifferentError, ImageMissingError, UsageError
from launch_quantization.output.arguments import NOT_OF_THE_JOB
from launch_quantization.output.manifest import compare_input, read_manifest
from launch_quantization.output.runs import recorded, shells_root
from launch_quantization.output.staging import OUTPUT, refusing, staged, staging_path
from launch_quantization.runtimes.choose import choose_runtime
from launch_quantization.stream.events import Event
from launch_quantization.stream.sanitize import safe_text
from launch_quantization.view.base import View
from launch_quantization.view.streams import write_line

_WITH_TIMES = (REPORT_JSON, REPORT_HTML, REPORT_MARKDOWN)
_SAME_PLACE = ("tensorflow", "lock", "package", "image_content", "python")
_LONGEST_LIST = 20
_DISTRUST = "somebody changed it: do not trust it"


def replay(options: ReplayOptions, view: View) -> int:
    """Print a line for each file of the run; 0 where all are the same bytes, reports but for their times.

    Raises:
        BadInputError: there is no such manifest, or it does not say how it was made.
        DifferentError: an input is not what it was, in which case nothing is run; or a result.
        LauncherError: what a run raises.
    """
    path, manifest = read_manifest(options.manifest)
    run = manifest["run"]
    if run is None:
        raise BadInputError(f"{path} does not say how it was made", "it is of a run of before: run it again")
    again = _options(options, run)
    _check_inputs(options, run)
    with _room(options, view) as folder:
        stem = path.name.removesuffix(MANIFEST)
        again = replace(again, out_graph=_out_graph(again, folder, stem))
        again = _in_its_place(again, run, view)
        quantize(
            again, _WithoutResult(view)
        )  # 12, more was lost than is allowed, is as it was then, or the reports differ
        other = read_manifest(str(folder / f"{stem}{MANIFEST}"))[1]
    for line in _differences(run["place"], other["run"]["place"]):
        view.note(line)
    return _tell(manifest, other)


def _options(options: ReplayOptions, run: dict[str, Any]) -> RunOptions[str]:
    try:
        again = run_options(run["arguments"])
    except UsageError as error:
        raise BadInputError(
            f"{options.manifest} was made by version {run['version']}, whose options are others: {error.message}",
            f"use that version, commit {run['revision'] or 'not known'}",
        ) from error
    except SystemExit as ended:  # --help or --version, which has been printed
        raise BadInputError(f"{options.manifest} asks for the help", _DISTRUST) from ended
    strange = [each for each in options_of(RunOptions) if each.name in NOT_OF_THE_JOB]
    named = [f"--{each.name}" for each in strange if getattr(again, each.name) != each.default]
    if named:
        raise BadInputError(f"{options.manifest} names {', '.join(named)}, as no run's manifest does", _DISTRUST)
    moved: dict[str, Any] = _moved(options)
    runtime = options.runtime or run["place"]["runtime"]
    return replace(again, **moved, runtime=runtime, quiet=options.quiet, verbose=options.verbose, resume=False)


def _moved(options: ReplayOptions) -> dict[str, str]:
    """The inputs that are elsewhere now, by the names of their options."""
    given = {key: getattr(options, key) for key in ("in_graph", "data_location", "labels")}
    return {key: value for key, value in given.items() if value is not None}


def _check_inputs(options: ReplayOptions, run: dict[str, Any]) -> None:
    moved = _moved(options)
    lines: list[str] = []
    for entry in run["inputs"]:
        lines += compare_input(entry, Path(moved.get(entry["option"], entry["path"])).absolute())
    for line in lines[:_LONGEST_LIST]:
        write_line(sys.stdout, safe_text(line))
    if lines:
        more = f" ({len(lines) - _LONGEST_LIST} more)" if len(lines) > _LONGEST_LIST else ""
        raise DifferentError(
            f"nothing was run: {len(lines)} of the inputs are not what they were{more}",
            "restore them, or say where they are now: --in_graph, --data_location, --labels",
        )


@contextmanager
def _room(options: ReplayOptions, view: View) -> Iterator[Path]:
    """A folder for the results: one that is asked for, or one that is gone afterwards."""
    if options.keep is not None:
        folder = Path(options.keep).absolute()
        with refusing(f"cannot make {folder}"):
            folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    place = shells_root() / secrets.token_hex(6)
    with recorded(staging_path(place)), staged(place, view.warn) as staging:
        yield staging / OUTPUT


def _out_graph(again: RunOptions[str], folder: Path, stem: str) -> str:
    name = stem + GRAPH if str(again.out_graph).endswith(GRAPH) else stem
    return str(folder / name)


def _in_its_place(again: RunOptions[str], run: dict[str, Any], view: View) -> RunOptions[str]:
    """The same options, with the image of the manifest where this launcher would use another one."""
    place = run["place"]
    if place["image"] is None or again.runtime != place["runtime"]:
        return again
    mine = choose_runtime(replace(again, docker_image=None), view, None)
    ready = mine.is_ready()
    if again.docker_image is None and ready and _same_image(mine.identity(), place):
        return again
    named = replace(again, docker_image=place["image"])
    there = choose_runtime(named, view, None)
    if there.is_ready():
        if not _same_image(there.identity(), place):
            view.warn(f"the image {place['image']} is another one than it was")
        return named
    if again.docker_image is None and not ready:
        return again  # it is built, and compared afterwards
    raise ImageMissingError(
        f"the image {place['image']} is not on the engine",
        f"load it; or build it from commit {run['revision'] or 'that is not known'} with launch_quantization build",
    )


def _same_image(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return bool(one["image_content"] == other["image_content"])


def _differences(before: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    """Of two places, what may make results differ."""
    if before["image_content"] is not None and _same_image(before, now):
        return
    for key in _SAME_PLACE:
        if before.get(key) != now.get(key):
            yield f"the environment is another one: {key} was {_short(before.get(key))}, is {_short(now.get(key))}"


def _short(value: object) -> str:
    return "not known" if value is None else str(value)[:16]


class _WithoutResult:
    """A view that is told all but the result, whose files are not for the user."""

    def __init__(self, view: View) -> None:
        self.note, self.warn, self.build_line = view.note, view.warn, view.build_line
        self.starting, self.log_line, self.event = view.starting, view.log_line, view.event
        self.failed, self.close = view.failed, view.close

    def finished(self, result: Event | None, files: Sequence[Path]) -> None:
        """Says nothing."""


def _tell(before: dict[str, Any], now: dict[str, Any]) -> int:
    new = {file["name"]: file["sha256"] for file in now["files"]}
    old = {file["name"]: file["sha256"] for file in before["files"]}
    same_report = before["run"]["report"] == now["run"]["report"]
    wrong = 0
    for name in sorted({*old, *new}):
        if old.get(name) == new.get(name):
            said = "identical"
        elif name not in new or name not in old:
            said = "not made again" if name in old else "only made now"
        elif name.endswith(_WITH_TIMES) and same_report:
            said = "identical but for times"
        else:
            said = "DIFFERENT"
        wrong += not said.startswith("identical")
        write_line(sys.stdout, safe_text(f"{said:25}{name}"))
    if wrong:
        raise DifferentError(f"{wrong} of {len({*old, *new})} files are not the same", "see --keep, and compare them")
    write_line(sys.stdout, "identical")
    return 0
