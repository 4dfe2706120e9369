"""The fixtures of the end-to-end suite: every test runs once in a container and once without."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from launch_quantization.output.runs import cache_root
from tests.e2e.support import MAKE_GRAPH, Launcher, write_images


@pytest.fixture(scope="session", params=[pytest.param("docker", marks=pytest.mark.engine), "local"])
def runtime(request: pytest.FixtureRequest) -> str:
    """Where the launcher runs its jobs."""
    return str(request.param)


@pytest.fixture(scope="session")
def launch(runtime: str, tmp_path_factory: pytest.TempPathFactory) -> Launcher:
    """The launcher, with a cache of its own that shares the environments, which are expensive."""
    cache = tmp_path_factory.mktemp("cache")
    ours = cache / "launch_quantization"
    ours.mkdir()
    environments = cache_root() / "environments"
    environments.mkdir(parents=True, exist_ok=True)
    (ours / "environments").symlink_to(environments)
    variables = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")}
    return Launcher(runtime, {**variables, "XDG_CACHE_HOME": str(cache), "TERM": "xterm-256color"})


@pytest.fixture(scope="session")
def graph(launch: Launcher, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small frozen graph, made inside by a script on the stdin of --debug."""
    folder = tmp_path_factory.mktemp("graph")
    done = launch("--debug", "--out_graph", folder / "x.pb", stdin=MAKE_GRAPH)
    assert done.returncode == 0, done.stderr
    return folder / "small.pb"


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few images, so that a job takes little."""
    return write_images(tmp_path_factory.mktemp("few"), 12)


@pytest.fixture(scope="session")
def many_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """So many images that a job is still at work when a test acts on it."""
    return write_images(tmp_path_factory.mktemp("many"), 600)
