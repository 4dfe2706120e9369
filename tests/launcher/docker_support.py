"""What the tests of the Docker runtime share: jobs that are shell scripts, and an image to run them in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from launch_quantization.building.context import local_base, lock_file
from launch_quantization.job.job import Job
from launch_quantization.runtimes.docker.engine import Engine
from launch_quantization.runtimes.docker.image.build import DEFAULT_VARIANT, LATEST
from launch_quantization.runtimes.docker.image.store import image_id


@dataclass(frozen=True)
class ScriptJob(Job):
    """A job whose command is a shell script instead of the tool.

    Attributes:
        script: for sh.
    """

    script: str = "true"

    def command(self) -> list[str]:
        """The script."""
        return ["sh", "-c", self.script]


def any_image(engine: Engine) -> str:
    """An image with sh, bash and python3 that the engine has; the smallest there is."""
    base = local_base(lock_file(DEFAULT_VARIANT))
    for name in (base, LATEST):
        if image_id(engine, name) is not None:
            return name
    raise AssertionError(f"neither {base} nor {LATEST} is on the engine; make base, or make image")


def make_job(folder: Path, script: str = "true", **fields: object) -> ScriptJob:
    """A job with a graph and a data set below ``folder``."""
    graph = folder / "in.pb"
    data = folder / "data"
    graph.touch()
    data.mkdir(exist_ok=True)
    given = {"in_graph": graph, "out_graph": folder / "out.pb", "data_location": data, **fields}
    return ScriptJob(script=script, **given)  # type: ignore[arg-type]


def make_staging(folder: Path) -> Path:
    """A staging directory as the launcher makes it."""
    staging = folder / "staging"
    (staging / "output").mkdir(parents=True, exist_ok=True)
    return staging
