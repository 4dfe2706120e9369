"""Pairs of launchers that race for one output, one image, one environment, one cache; some lose one of them."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.e2e.support import PATIENCE
from tests.faults import job_faults
from tests.faults.ground import Ground, output_complaint
from tests.faults.place import OLD, Place
from tests.launcher.tiny_context import ROOT, VARIANT, make_tiny_context

Begin = Callable[[], "subprocess.Popen[str]"]
End = tuple[int, str]
Result = tuple[str, str, list[str]]
_DEATHS = 0.4
"""Share of pairs of which one is killed."""
_MAKE_ENVIRONMENT = """\
import sys
from pathlib import Path
from launch_quantization import signals
from launch_quantization.runtimes.local import environment
from launch_quantization.runtimes.local.pythons import probe
signals.install()
lock = Path(sys.argv[1])
base = probe(Path(sys.argv[2]), ["%d.%d" % sys.version_info[:2]])
found = environment.Environment(environment.environments_root() / "raced", base, lock)
environment.make_environment(found, lambda line: None)
with environment.in_use(found):
    print("complete" if found.complete else "not complete")
"""


def races(ground: Ground, numbers: Sequence[int], seed: int) -> Iterator[tuple[int, Result]]:
    """The pairs of these numbers, their kinds in turns."""
    kinds: list[Callable[[Ground, random.Random, int], Result]] = [_environment, _environment]
    for runtime in ("local", "docker"):
        if not job_faults.missing(runtime):
            (ground.folder / runtime).mkdir()
            graph = job_faults.make_graph(runtime, ground.folder / runtime)
            kinds += [_race_for(_one_output, runtime, graph), _race_for(_one_cache, runtime, graph)]
    if ground.engine:
        kinds += [_image, _image]
    try:
        for number in numbers:
            yield number, kinds[number % len(kinds)](ground, random.Random(f"{seed} pair {number}"), number)
    finally:
        if ground.engine:
            _remove_tiny_images()


def _race_for(
    what: Callable[[Ground, random.Random, int, str, Path], Result], runtime: str, graph: Path
) -> Callable[[Ground, random.Random, int], Result]:
    return lambda ground, rng, number: what(ground, rng, number, runtime, graph)


def race(rng: random.Random, begin: Sequence[Begin], longest: float) -> tuple[bool, list[End]]:
    """Start both, a moment apart, and maybe kill one: (whether, [(status, stderr)])."""
    processes = [begin[0]()]
    time.sleep(rng.choice((0.0, rng.uniform(0, longest / 4))))
    processes.append(begin[1]())
    dies = rng.random() < _DEATHS
    if dies:
        time.sleep(rng.uniform(0, longest))
        rng.choice(processes).send_signal(rng.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)))
    told = [process.communicate(timeout=PATIENCE)[1] for process in processes]
    return dies, [(process.returncode, text) for process, text in zip(processes, told, strict=True)]


def _judge(results: list[End], allowed: set[int], dies: bool) -> tuple[str, list[str]]:
    found = []
    deaths = {-signal.SIGKILL, -signal.SIGTERM, 128 + signal.SIGTERM} if dies else set()
    for status, told in results:
        if status not in allowed | deaths:
            found.append(f"exit code {status}: {told[-300:]!r}")
        if "Traceback (most recent call last)" in told:
            found.append(f"a traceback: {told[-500:]!r}")
    if not dies and all(status for status, _ in results):
        found.append("both failed")
    return " and ".join(sorted(str(status) for status, _ in results)), found


def _one_output(ground: Ground, rng: random.Random, number: int, runtime: str, graph: Path) -> Result:
    (ground.folder / f"pair{number}").mkdir()
    place = Place(ground.folder / f"pair{number}", runtime, ground.environment).fill(graph)
    dies, results = race(rng, [lambda: place.start("--samples", "4")] * 2, 6.0)
    outcome, complaints = _judge(results, {0, 13}, dies)
    complaints += _cleaned(ground, dies, place.folder)
    complaints += filter(None, [output_complaint(place.output)])
    if any(status == 0 for status, _ in results) and place.output.read_bytes() == OLD:
        complaints.append("exit code 0, and no new output")
    return f"one output, {runtime}" + ", one is killed" * dies, outcome, complaints


def _one_cache(ground: Ground, rng: random.Random, number: int, runtime: str, graph: Path) -> Result:
    """Two runs and a ``clean`` in one cache."""
    places = []
    for name in ("a", "b"):
        inside = ground.folder / f"pair{number}{name}"
        inside.mkdir()
        places.append(Place(inside, runtime, ground.environment).fill(graph))

    def second() -> subprocess.Popen[str]:
        started = places[1].start("--samples", "4")
        for _ in range(3):
            complaints.extend(filter(None, [ground.clean()]))
        return started

    complaints: list[str] = []
    dies, results = race(rng, [lambda: places[0].start("--samples", "4"), second], 6.0)
    outcome, found = _judge(results, {0}, dies)
    complaints += found + _cleaned(ground, dies, *(place.folder for place in places))
    complaints += filter(None, [output_complaint(place.output) for place in places])
    return f"one cache, {runtime}" + ", one is killed" * dies, outcome, complaints


def _cleaned(ground: Ground, dies: bool, *places: Path) -> list[str]:
    complaints = list(filter(None, [ground.clean()])) if dies else []
    return complaints + [f"left: {one}" for one in ground.left(*places)]


def _environment(ground: Ground, rng: random.Random, number: int) -> Result:
    """A real environment, of no packages."""
    cache = ground.folder / f"cache{number}"
    cache.mkdir()
    lock = cache / "tensorflow-raced.txt"
    lock.touch()
    variables = {**ground.environment, "XDG_CACHE_HOME": str(cache), "PYTHONPATH": str(ROOT)}

    def begin() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", _MAKE_ENVIRONMENT, str(lock), getattr(sys, "_base_executable", sys.executable)]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=variables, stdout=pipe, stderr=pipe, text=True)

    dies, results = race(rng, [begin, begin], 5.0)
    last = begin()
    said, told = last.communicate(timeout=PATIENCE)
    # The stand-in for the command does not turn an interruption into an exit code.
    quiet = [(status, "" if dies and "Interrupted" in text else text) for status, text in results]
    outcome, complaints = _judge(quiet, {0, 1} if dies else {0}, dies)
    if last.returncode or said.strip() != "complete":
        complaints.append(f"no environment afterwards: {said}{told[-300:]}")
    root = cache / "launch_quantization" / "environments"
    complaints += [f"left: {path}" for path in root.iterdir() if path.name not in ("raced", "raced.lock")]
    return (
        "one environment" + ", one is killed" * dies,
        outcome,
        complaints + [f"left: {path}" for path in (ground.folder / "tmp").iterdir()],
    )


# -- images --------------------------------------------------------------------------------------


def _image(ground: Ground, rng: random.Random, number: int) -> Result:
    """The image of a tiny package; built on the real engine by the real Dockerfile."""
    root = make_tiny_context(ground.folder / f"context{number}")
    (root / "quantization/intel_quantization/__init__.py").write_text(f"PAIR = {number}, {os.getpid()}\n")

    def begin() -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.launcher.builder", str(root), VARIANT]
        variables = {**ground.environment, "PYTHONPATH": str(ROOT)}
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=ROOT, env=variables, stdout=pipe, stderr=pipe, text=True)

    dies, results = race(rng, [begin, begin], 8.0)
    outcome, complaints = _judge(results, {0}, dies)
    last = begin()
    said, told = last.communicate(timeout=PATIENCE)
    if last.returncode:
        complaints.append(f"no image afterwards: {said[-300:]}{told[-300:]}")
    complaints += _left_on_the_engine(said.splitlines()[-1] if said else "")
    complaints += [f"left: {path}" for path in (ground.folder / "tmp").iterdir()]
    return "one image" + ", one is killed" * dies, outcome, complaints


def _left_on_the_engine(tag: str) -> list[str]:
    import docker

    from launch_quantization.runtimes.docker.image.store import VARIANT_LABEL

    client = docker.APIClient()
    ours = {"label": f"{VARIANT_LABEL}={VARIANT}"}
    for _ in range(50):  # the engine takes a while to notice that a builder is gone
        containers = client.containers(all=True, filters=ours)
        locks = [name for one in client.containers(all=True) for name in one["Names"] if f"build-{VARIANT}" in name]
        if not containers and not locks:
            break
        time.sleep(0.2)
    found = [f"left: container {one['Command']}" for one in containers] + [f"left: lock {name}" for name in locks]
    unnamed = client.images(filters={**ours, "dangling": True})
    if len(unnamed) > 1:  # one is the cache of the next build
        found.append(f"left: {len(unnamed)} images without a name")
    tags = [each for image in client.images(filters=ours) for each in image["RepoTags"] or ()]
    if tag not in tags:
        found.append(f"no image {tag}")
    return found


def _remove_tiny_images() -> None:
    import docker

    from launch_quantization.runtimes.docker.image.store import VARIANT_LABEL

    client = docker.APIClient()
    for image in client.images(filters={"label": f"{VARIANT_LABEL}={VARIANT}"}):
        with contextlib.suppress(docker.errors.ImageNotFound):  # it went with one that was built on it
            client.remove_image(image["Id"], force=True)
