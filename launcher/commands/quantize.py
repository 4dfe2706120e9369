"""The plain call, from options to files in place: choose a runtime, run, check, collect."""

from __future__ import annotations

import json
import secrets
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

from launch_quantization.building.site import named_certificates
from launch_quantization.contract.options import PlaceOptions, RunOptions
from launch_quantization.contract.words import PB, QUANTIZE
from launch_quantization.errors import AccuracyError, EngineTooOldError, EngineUnreachableError, Interrupted
from launch_quantization.job.job import Job
from launch_quantization.job.validation import checked_job
from launch_quantization.output.collect import collect
from launch_quantization.output.runs import dead_runs, recorded, shells_root
from launch_quantization.output.staging import OUTPUT, remove_stale, staged, staging_path
from launch_quantization.runtimes.docker.image.base import BaseUnavailableError, with_base
from launch_quantization.runtimes.runtime import Runtime
from launch_quantization.signals import shield
from launch_quantization.stream.sanitize import pasteable, safe_text
from launch_quantization.view.host_paths import HostPaths
from launch_quantization.view.listener import Listener
from launch_quantization.view.progress import View, write_line


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
    remove_leftovers()
    if job.task != QUANTIZE and not job.debug:
        return _look(options, job, view)
    if job.debug or job.out_graph is None:
        return _shell(options, job, view)
    return _run(options, job, job.out_graph, view)


def _run(options: RunOptions[str], job: Job, out_graph: Path, view: View) -> int:
    with recorded(staging_path(out_graph)) as run_id, staged(out_graph, view.warn) as staging:
        runtime = ready_runtime(options, view, run_id)
        # Programs that read events get them as they are.
        translate = str if options.json else HostPaths(job, staging)
        listener = Listener(view, translate, log=options.verbose)
        view.starting()
        status = runtime.run(job, staging, listener)
        listener.check(status)
        files = collect(staging / OUTPUT, out_graph, job.format or PB)
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
        runtime = ready_runtime(options, view, run_id)
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
        runtime = ready_runtime(options, view, run_id)
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


def ready_runtime(options: RunOptions[str], view: View, run_id: str | None) -> Runtime:
    """The runtime that the options ask for, with all that a job needs in it.

    With ``auto``, where the engine lacks the base image and no registry gives it, that is made of Debian packages;
    where that cannot be, it is the local environment.

    Raises:
        LauncherError: what ``choose_runtime`` and ``Runtime.ensure`` raise.
    """

    def log(line: str) -> None:
        view.build_line(safe_text(line))

    runtime = choose_runtime(options, view, run_id)
    view.note(runtime.describe())
    if options.runtime != "auto":
        runtime.ensure(log)
        return runtime
    try:
        with_base(lambda: runtime.ensure(log), log)
    except BaseUnavailableError as error:
        runtime = _local_runtime(options, view, error.message)
        view.note(runtime.describe())
        runtime.ensure(log)
    return runtime


def choose_runtime(options: RunOptions[str], view: View, run_id: str | None) -> Runtime:
    """The runtime that the options ask for.

    Args:
        options: with ``runtime``, ``docker_image``, ``tensorflow``, ``base_image``, ``ca_bundle``.
        view: told in one line why ``auto`` does not use Docker, and what could not be cleaned up.
        run_id: id of the record of this run; None where nothing will be run.

    Raises:
        UsageError: no such variant, more CPUs or memory than there is, or a --ca-bundle that is none.
        EngineUnreachableError: ``--runtime docker``, and no engine answers.
        EngineTooOldError: ``--runtime docker``, and the engine is too old.
    """
    from launch_quantization.runtimes.docker.image.build import lock_file

    lock_file(options.tensorflow)  # an unknown variant is a usage error before anything else
    ca_path(options)
    if options.runtime != "local":
        try:
            return docker_runtime(options, run_id, view.warn)
        except (EngineUnreachableError, EngineTooOldError) as error:
            if options.runtime == "docker":
                raise
            return _local_runtime(options, view, error.message)
    return _local_runtime(options, view)


def _local_runtime(options: RunOptions[str], view: View, why: str = "") -> Runtime:
    """The local environment; ``why`` it is not a container is told."""
    from launch_quantization.runtimes.local.runtime import LocalRuntime, check_limits

    if why:
        view.note(f"not in a container, but in a local environment: {why}")
    if options.docker_image is not None:
        view.note(f"without a container, --docker-image {options.docker_image} is not used")
    check_limits(options.cpus, options.memory)
    return LocalRuntime(options.tensorflow, ca_path(options))


def docker_runtime(options: RunOptions[str], run_id: str | None, warn: Callable[[str], None]) -> Runtime:
    """The Docker runtime; also removes containers whose launcher is gone."""
    from launch_quantization.runtimes.docker.engine import connect
    from launch_quantization.runtimes.docker.image.build import ImageSpec
    from launch_quantization.runtimes.docker.profile import check_limits
    from launch_quantization.runtimes.docker.runtime import DockerRuntime, reap

    engine = connect()
    if run_id is not None:
        reap(engine, warn)
    check_limits(engine, options.cpus, options.memory)  # a job that cannot start needs no image
    spec = ImageSpec(options.tensorflow, options.base_image, ca_path(options))
    return DockerRuntime(engine, image=options.docker_image, spec=spec, run_id=run_id, warn=warn)


def ca_path(options: PlaceOptions) -> Path | None:
    """--ca-bundle as a path, or None; checked although perhaps nothing will be built.

    Raises:
        UsageError: it is no file of PEM certificates.
    """
    if options.ca_bundle is None:
        return None
    path = Path(options.ca_bundle)
    named_certificates(path)
    return path


def remove_leftovers() -> list[str]:
    """Remove the staging directories and records of launchers that are gone; returns their paths."""
    removed = []
    for run in dead_runs():
        with shield():
            if remove_stale(run.staging):
                run.path.unlink(missing_ok=True)
                removed.append(str(run.staging))
    return removed
