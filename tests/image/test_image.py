"""The real image: small, the same for every uid, complete without network, silent about where it was built."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from launch_quantization.runtimes.docker import profile
from launch_quantization.runtimes.docker.engine import Engine, connect
from launch_quantization.runtimes.docker.image.build import ImageSpec, ensure_image
from launch_quantization.runtimes.docker.runtime import DockerRuntime
from tests.launcher.docker_support import make_job, make_staging

pytestmark = [pytest.mark.engine, pytest.mark.slow]

LARGEST = 1_100_000_000

_WORK = """\
python3 - <<'PYTHON'
import numpy as np
import tensorflow as tf
import jinja2
import intel_quantization.graph_converter
layers = tf.keras.layers
model = tf.keras.Sequential([layers.Input((8, 8, 1)), layers.Conv2D(4, 3), layers.BatchNormalization(),
                             layers.Flatten(), layers.Dense(10)])
model.compile("adam", "sparse_categorical_crossentropy")
model.fit(np.zeros((8, 8, 8, 1)), np.zeros(8), verbose=0)
image = tf.io.decode_image(tf.io.encode_png(np.zeros((4, 4, 3), np.uint8)))
tf.saved_model.save(model, "/tmp/saved")
print("worked", tf.__version__, image.shape)
PYTHON
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = connect()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def tag(engine: Engine) -> str:
    return ensure_image(engine, ImageSpec(), print)


def test_it_is_small(engine: Engine, tag: str) -> None:
    assert engine.client.inspect_image(tag)["Size"] < LARGEST


def test_its_history_says_nothing_of_the_build_site(engine: Engine, tag: str) -> None:
    text = (str(engine.client.history(tag)) + str(engine.client.inspect_image(tag)["Config"])).lower()
    assert not [word for word in ("proxy", "ca-bundle", "pip.conf", "index-url", "--cert") if word in text]


def test_tensorflow_works_for_any_uid_without_network(
    engine: Engine, tag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profile, "_choose_user", lambda _engine: "54321:12345")
    lines: list[str] = []
    status = DockerRuntime(engine, image=tag).run(
        make_job(tmp_path, _WORK), make_staging(tmp_path), lambda line, _stream: lines.append(line.decode())
    )
    assert status == 0, lines[-5:]
    assert "worked 2.14.0 (4, 4, 3)" in lines
    assert not [line for line in lines if "Limited tf.summary API" in line]


def test_no_program_runs_as_somebody_else(engine: Engine, tag: str, tmp_path: Path) -> None:
    lines: list[str] = []
    script = "find / -xdev -type f -perm /6000 2>/dev/null; stat -c %A /usr/bin/su /usr/bin/mount"
    status = DockerRuntime(engine, image=tag).run(
        make_job(tmp_path, script), make_staging(tmp_path), lambda line, _stream: lines.append(line.decode())
    )
    assert (status, lines) == (0, ["-rwxr-xr-x"] * 2)


def test_nothing_of_the_build_is_in_its_files(engine: Engine, tag: str, tmp_path: Path) -> None:
    lines: list[str] = []
    script = (
        "find / -xdev \\( -name '*ca-bundle*' -o -name 'pip.conf' -o -path '/build*' -o -path '/root-of-image*' "
        "-o -path '/opt/pip*' -o -path '*/tensorflow/include' \\) 2>/dev/null; true"
    )
    status = DockerRuntime(engine, image=tag).run(
        make_job(tmp_path, script), make_staging(tmp_path), lambda line, _stream: lines.append(line.decode())
    )
    assert (status, lines) == (0, [])
