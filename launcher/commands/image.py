"""``launch_quantization image save``: the image as an archive that every engine and registry tool takes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from launch_quantization.building.site import ca_path
from launch_quantization.contract.command_options import ImageOptions
from launch_quantization.contract.words import AUTO
from launch_quantization.errors import OutputRefusedError, UsageError
from launch_quantization.stream.sanitize import safe_path, safe_text
from launch_quantization.view.base import View
from launch_quantization.view.streams import write_line


def save(options: ImageOptions, view: View) -> int:
    """Write the image, built if need be; prints its digests.

    Raises:
        UsageError: another runtime than an engine is asked for.
        OutputRefusedError: the file cannot be written.
        BuildError: the image could not be built.
        EngineUnreachableError: no engine answers.
    """
    # These import the Docker SDK.
    from launch_quantization.runtimes.docker import engine as engines
    from launch_quantization.runtimes.docker.image.archive import save_image
    from launch_quantization.runtimes.docker.image.build import ImageSpec, ensure_image

    if options.runtime not in (AUTO, "docker"):
        raise UsageError(f"--runtime {options.runtime} has no image", "drop it")
    path = Path(options.file).absolute()
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK):
        raise OutputRefusedError(f"cannot write {path}", "name a file in a folder that you can write to")
    engine = engines.connect()
    spec = ImageSpec(options.tensorflow, options.base_image, ca_path(options))
    tag = ensure_image(engine, spec, lambda line: view.build_line(safe_text(line)))
    view.note(f"writing {tag} to {safe_path(path)}")
    saved = save_image(engine, tag, path)
    engine.close()
    for what, digest in (("image", saved.image_id), ("manifest", saved.manifest)):
        line = f"{what:9} {digest}"
        if options.json:
            view.note(line)
        elif not options.quiet:
            write_line(sys.stdout, line)
    return 0
