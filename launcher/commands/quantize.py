"""The plain call, from options to files in place: choose a runtime, run, check, collect."""

from __future__ import annotations

import json
import secrets
import shlex
import sys
import time
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from launch_quantization import __version__
from launch_quantization.contract.options import RunOptions
from launch_quantization.contract.words import PB, QUANTIZE
from launch_quantization.errors import AccuracyError, Interrupted
from launch_quantization.job.job import Job
from launch_quantization.job.validation import checked_job
from launch_quantization.output.collect import collect
from launch_quantization.output.inputs import hashed
from launch_quantization.output.kept import kept_for, rescue
from launch_quantization.output.record import run_record
from launch_quantization.output.runs import recorded, remove_leftovers, shells_root
from launch_quantization.output.staging import OUTPUT, staged, staging_path
from launch_quantization.runtimes.choose import choose_runtime, ready_runtime
from launch_quantization.runtimes.runtime import Runtime
from launch_quantization.stream.sanitize import pasteable, safe_text
from launch_quantization.view.base import View
from launch_quantization.view.host_paths import HostPaths
from launch_quantization.view.listener import Listener
from launch_quantization.view.streams import write_line


def quantize(options: RunOptions[str], view: View) -> int:
    """Do what the plain call asks for; returns the exit code.

    Raises:
        LauncherError: any of them.
        Interrupted: a signal came; nothing is left, and the old output is as it was unless ``in_place``.
    """
    job = checked_job(options)
    if job.model_name is not None and options.model_name is None and not options.json:
        view.note(f"Model Zoo: {job.model_name}, as no --model_name is given")
    if options.dry_run:
        return _dry_run(options, job, view)
    remove_leftovers(rescue)
    if job.task != QUANTIZE and not job.debug:
        return _look(options, job, view)
    if job.debug or job.out_graph is None:
        return _shell(options, job, view)
    return _run(options, job, job.out_graph, view)


def _run(options: RunOptions[str], job: Job, out_graph: Path, view: View) -> int:
    with recorded(staging_path(out_graph)) as run_id, staged(out_graph, view.warn) as staging, ExitStack() as stack:
        runtime = _ready_runtime(options, view, run_id)
        inputs = stack.enter_context(hashed(job))
        # Programs that read events get them as they are.
        translate = str if options.json else HostPaths(job, staging)
        listener = Listener(view, translate, log=options.verbose)
        view.starting()
        place = runtime.identity()
        with kept_for(job, place, staging, view.warn) if options.resume else nullcontext() as kept:
            status = runtime.run(replace(job, kept=kept), staging, listener)
        listener.check(status)
        ended = time.time()

        def record(report: dict[str, Any]) -> dict[str, Any]:
            start = None if listener.start is None else listener.start.data
            return run_record(job, inputs.wait(), place, start, listener.stages, ended, report, __version__)

        files = collect(staging / OUTPUT, out_graph, job.format or PB, record)
        try:
            view.finished(listener.result, files)
        except Interrupted as interruption:
            interruption.in_place = True
            raise
    return AccuracyError.exit_code if listener.broken else 0


def _look(options: RunOptions[str], job: Job, view: View) -> int:
    """A task that leaves no files: what it found is printed."""
    place = shells_root() / secrets.token_hex(6)
    with recorded(staging_path(place)) as run_id, staged(place, view.warn) as staging:
        runtime = _ready_runtime(options, view, run_id)
        listener = Listener(view, str if options.json else HostPaths(job, staging), log=options.verbose)
        view.starting()
        status = runtime.run(job, staging, listener)
        listener.check(status)
        code = AccuracyError.exit_code if listener.broken else 0
        if listener.looked is not None and not options.json:
            view.close(code)  # so that the lines stand alone
            said = listener.looked.data["verdict"]
            for line in ([] if said is None else [said["text"]]) + listener.looked.data["lines"]:
                write_line(sys.stdout, line)
    return code


def _shell(options: RunOptions[str], job: Job, view: View) -> int:
    place = shells_root() / secrets.token_hex(6)
    with recorded(staging_path(place)) as run_id, staged(place, view.warn) as staging:
        runtime = _ready_runtime(options, view, run_id)
        view.note(f"output in the workspace is {job.output_dir}; exit ends the shell")
        view.close(0)
        return runtime.shell(job, staging)


def _dry_run(options: RunOptions[str], job: Job, view: View) -> int:
    runtime = choose_runtime(options, view, None)
    place = staging_path(job.out_graph) if job.out_graph is not None else shells_root()
    plan = runtime.plan(job, place)
    command = plan["command"]
    words = [str(word) for word in command] if isinstance(command, list) else [str(command)]
    mounts = [
        {"source": str(mount.source), "target": mount.target, "read_only": mount.read_only} for mount in job.mounts()
    ]
    whole = {"job": job.inside(), "output": str(job.output_dir), "mounts": mounts, **plan, "line": shlex.join(words)}
    if options.json:
        write_line(sys.stdout, json.dumps(whole))
    else:
        write_line(sys.stdout, json.dumps(whole, indent=2))
        write_line(sys.stdout, f"\n{pasteable(words)}")
    return 0


def _ready_runtime(options: RunOptions[str], view: View, run_id: str) -> Runtime:
    return ready_runtime(options, view, run_id, lambda line: view.build_line(safe_text(line)))
