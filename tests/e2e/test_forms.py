"""Graphs that are not frozen yet: a SavedModel folder and a Keras file, from outside through the wall."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.support import Launcher

_MAKE = """\
python3 - <<'PYTHON'
import os
import tensorflow as tf
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
