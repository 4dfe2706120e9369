"""Graphs that are not frozen yet: a SavedModel folder and a Keras file, from outside through the wall."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.e2e.support import Launcher, leftovers

_MAKE = """\
python3 - <<'PYTHON'
import os
import tensorflow as tf
tf.keras.utils.set_random_seed(0)
layers = tf.keras.layers
x = layers.Input((16, 16, 3), name="photo")
y = layers.Conv2D(8, 3, activation="relu")(x)
y = layers.BatchNormalization()(layers.Conv2D(8, 3)(y))
y = layers.Dense(4, activation="softmax", name="scores")(layers.GlobalAveragePooling2D()(y))
model = tf.keras.Model(x, y)
output = os.environ["WORKSPACE"] + "/output/"
model.save(output + "net.h5")
tf.saved_model.save(model, output + "net.saved")
PYTHON
"""


@pytest.fixture(scope="module")
def folder(launch: Launcher, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("forms")
    done = launch("--debug", "--out_graph", folder / "x.pb", stdin=_MAKE)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("name", ["net.h5", "net.saved"])
def test_it_is_frozen_first(launch: Launcher, folder: Path, images: Path, tmp_path: Path, name: str) -> None:
    done = launch("-g", folder / name, "-d", images, "-o", tmp_path / "out.pb", "--outputs", "scores")

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.pb").stat().st_size > 0
    assert ("SavedModel, signature serving_default" in done.stderr) is (name == "net.saved")
    assert "Conv2D       2       2       0" in done.stdout


def test_a_signature_that_is_not_there(launch: Launcher, folder: Path, images: Path, tmp_path: Path) -> None:
    done = launch("-g", folder / "net.saved", "-d", images, "-o", tmp_path / "out.pb", "--signature", "train")
    assert done.returncode == 3
    assert "no signature 'train'" in done.stderr
    assert "it has serving_default" in done.stderr
    assert list(tmp_path.iterdir()) == []


_CALL = """\
python3 - <<'PYTHON'
import os
import numpy as np
import tensorflow as tf
output = os.environ["WORKSPACE"] + "/output/"
before, after = (tf.saved_model.load(output + name) for name in ("net.saved", "served"))
photos = np.random.RandomState(0).uniform(0, 255, (4, 16, 16, 3)).astype("float32")  # like the calibration's
one, two = before.signatures["serving_default"], after.signatures["serving_default"]
assert one.structured_outputs == two.structured_outputs, (one.structured_outputs, two.structured_outputs)
np.testing.assert_allclose(one(photo=photos)["scores"], two(photo=photos)["scores"], atol=0.05)
np.testing.assert_allclose(before(photos), after(photos), atol=0.05)
print("CALLED")
PYTHON
"""


@pytest.mark.parametrize("name", ["net.h5", "net.saved"])
def test_a_saved_model_comes_out(launch: Launcher, folder: Path, images: Path, name: str) -> None:
    done = launch("-g", folder / name, "-d", images, "-o", f"{folder}/served/")

    assert done.returncode == 0, done.stderr
    assert f"{folder}/served" in done.stdout
    assert sorted(path.name for path in (folder / "served").iterdir()) == ["saved_model.pb", "variables"]
    assert leftovers(folder) == []
    called = launch("--debug", "--out_graph", folder / "x.pb", stdin=_CALL)
    assert "CALLED" in called.stdout, called.stderr
    looked = launch("evaluate", folder / name, folder / "served", "-d", images)
    assert looked.returncode == 0, looked.stderr
    assert "same answer for " in looked.stdout


def test_an_interrupted_run_leaves_the_older_one(
    launch: Launcher, folder: Path, many_images: Path, tmp_path: Path
) -> None:
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "saved_model.pb").write_bytes(b"older")
    with launch.started("-g", folder / "net.saved", "-d", many_images, "-o", f"{tmp_path}/served/") as process:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=600)
    assert process.returncode == 130
    assert [path.name for path in tmp_path.iterdir()] == ["served"]
    assert (tmp_path / "served" / "saved_model.pb").read_bytes() == b"older"
    assert leftovers(tmp_path) == []
