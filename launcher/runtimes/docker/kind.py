"""Containers, as one kind of runtime among others."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from launch_quantization.building.context import variants
from launch_quantization.building.site import ca_path
from launch_quantization.contract.command_options import BuildOptions, CleanOptions, DoctorOptions
from launch_quantization.contract.options import RunOptions
from launch_quantization.contract.words import AUTO
from launch_quantization.errors import EngineTooOldError, EngineUnreachableError, LauncherError
from launch_quantization.runtimes.docker import engine as engines
from launch_quantization.runtimes.docker.engine import Engine
from launch_quantization.runtimes.docker.image import build as image
from launch_quantization.runtimes.docker.image.base import with_base
from launch_quantization.runtimes.docker.image.build import ImageSpec
from launch_quantization.runtimes.docker.profile import check_limits
from launch_quantization.runtimes.docker.reaper import our_containers, reap
from launch_quantization.runtimes.docker.runtime import DockerRuntime
from launch_quantization.runtimes.kind import OK, PROBLEM, WARNING, Finding, Kind, Told
from launch_quantization.runtimes.runtime import Runtime
from launch_quantization.stream.lines import BuildLog


class Docker(Kind):
    """Hardened containers of the engine that answers here."""

    name = "docker"
    where = "in a container"
    makes = "an image"
    need = "engine"
    exit_code = EngineUnreachableError.exit_code

    def open(self, options: RunOptions[str], run_id: str | None, told: Told) -> Runtime:
        """Also removes containers whose launcher is gone."""
        engine = engines.connect()
        if run_id is not None:
            reap(engine, told.warn)
        check_limits(engine, options.cpus, options.memory)  # a job that cannot start needs no image
        spec = ImageSpec(options.tensorflow, options.base_image, ca_path(options))
        return DockerRuntime(engine, image=options.docker_image, spec=spec, run_id=run_id, warn=told.warn)

    def ensure(self, runtime: Runtime, options: RunOptions[str], log: BuildLog) -> None:
        """With ``auto``, a base image that nobody gives is made of Debian packages."""
        if options.runtime == AUTO:
            with_base(lambda: runtime.ensure(log), log)
        else:
            runtime.ensure(log)

    def build(self, options: BuildOptions, log: BuildLog) -> str:
        """The image; its tag."""
        engine = engines.connect()
        spec = ImageSpec(options.tensorflow, options.base_image, ca_path(options))

        def ensure() -> str:
            return image.ensure_image(engine, spec, log, force=options.no_cache)

        return with_base(ensure, log) if options.runtime == AUTO else ensure()

    def examine(self, options: DoctorOptions) -> Iterator[Finding]:
        """The engine, and the image that the options ask for."""
        try:
            engine = engines.connect()
        except LauncherError as error:
            level = PROBLEM if options.runtime == self.name else WARNING
            yield Finding(self.need, level, error.message, error.remedy)
            return
        text = f"{engine.describe()}, API {engine.api_version}, {engine.cpus} CPUs, {engine.memory / 1e9:.1f} GB"
        yield Finding(self.need, OK, text)
        yield _check_image(engine, options)
        engine.close()

    def list_variants(self, options: DoctorOptions) -> Mapping[str, str]:
        """The image of each."""
        try:
            engine = engines.connect()
        except LauncherError:
            return {}
        found = {variant: _describe_variant(engine, variant, options.base_image) for variant in variants()}
        engine.close()
        return found

    def clean(self, options: CleanOptions, told: Told) -> Iterator[str]:
        """Containers of launchers that are gone, and images."""
        try:
            engine = engines.connect()
        except (EngineUnreachableError, EngineTooOldError) as error:
            told.note(f"containers and images are not looked at: {error.message}")
            return
        if options.dry_run:
            dead = (one.name for one in our_containers(engine) if not one.alive and one.owner == os.getuid())
            yield from (f"container {name}" for name in dead)
        else:
            yield from (f"container {name}" for name in reap(engine, told.warn))
        if options.images or options.all:
            busy = image.builds_running(engine)
            for variant in sorted(busy):
                told.warn(f"an image of TensorFlow {variant} is being built; what is of that variant stays")
            names = image.remove_images(engine, keep_current=not options.all, dry_run=options.dry_run, busy=busy)
            yield from (f"image {name}" for name in names)
        engine.close()


KIND = Docker()


def _check_image(engine: Engine, options: DoctorOptions) -> Finding:
    try:
        tag = image.find_image(engine, ImageSpec(options.tensorflow, options.base_image, ca_path(options)))
    except LauncherError as error:
        return Finding("image", WARNING, error.message, error.remedy)
    if tag is None:
        return Finding(
            "image", WARNING, "not built, or not up to date", "launch_quantization build; or the first run builds it"
        )
    return Finding("image", OK, tag)


def _describe_variant(engine: Engine, variant: str, base: str | None) -> str:
    try:
        tag = image.find_image(engine, ImageSpec(variant, base))
    except LauncherError as error:
        return f"image not known: {error.message}"
    return "image not built, or not up to date" if tag is None else f"image {tag}"
