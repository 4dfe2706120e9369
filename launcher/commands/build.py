"""``launch_quantization build``: the image, or the local environment, ahead of the first run."""

from __future__ import annotations

import sys
from pathlib import Path

from launch_quantization.commands.quantize import ca_path
from launch_quantization.contract.options import BuildOptions
from launch_quantization.errors import EngineTooOldError, EngineUnreachableError
from launch_quantization.runtimes.docker.image.base import BaseUnavailableError, with_base
from launch_quantization.stream.sanitize import safe_text
from launch_quantization.view.progress import View, write_line


def build(options: BuildOptions, view: View) -> int:
    """Build what a run would need, with its steps live; prints the image's tag, or the environment's path.

    Raises:
        UsageError: --ca-bundle names no file of PEM certificates.
        BuildError: it could not be built.
        EngineUnreachableError: ``--runtime docker``, and no engine answers.
    """
    ca_bundle = ca_path(options)
    if options.runtime != "local":
        try:
            return _image(options, view, ca_bundle)
        except (EngineUnreachableError, EngineTooOldError, BaseUnavailableError) as error:
            if options.runtime == "docker":
                raise
            view.note(f"making a local environment instead of an image: {error.message}")
    return _environment(options, view, ca_bundle)


def _image(options: BuildOptions, view: View, ca_bundle: Path | None) -> int:
    from launch_quantization.runtimes.docker.engine import connect
    from launch_quantization.runtimes.docker.image.build import ImageSpec, ensure_image

    engine = connect()
    spec = ImageSpec(options.tensorflow, options.base_image, ca_bundle)

    def log(line: str) -> None:
        view.build_line(safe_text(line))

    def ensure() -> str:
        return ensure_image(engine, spec, log, force=options.no_cache)

    return _say(options, view, with_base(ensure, log) if options.runtime == "auto" else ensure())


def _environment(options: BuildOptions, view: View, ca_bundle: Path | None) -> int:
    from launch_quantization.runtimes.local.runtime import LocalRuntime

    runtime = LocalRuntime(options.tensorflow, ca_bundle)
    runtime.ensure(lambda line: view.build_line(safe_text(line)), force=options.no_cache)
    return _say(options, view, str(runtime.environment.path))


def _say(options: BuildOptions, view: View, what: str) -> int:
    if options.json:
        view.note(what)
    elif not options.quiet:
        write_line(sys.stdout, what)
    return 0
