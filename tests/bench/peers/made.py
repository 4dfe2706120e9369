"""Networks with random weights for the peers, three of keras.applications and a transformer, judged by their scores."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from real_data import Samples
from real_graphs import CALIBRATION, Case

NETS = ("MobileNet", "ResNet50", "InceptionV3", "transformer")
_JUDGED = 32


@dataclass(frozen=True)
class Made(Case):
    """A network that is made here.

    Attributes:
        folder: where its graph and its samples are.
    """

    folder: Path = field(default=Path())

    @property
    def path(self) -> Path:
        """The FP32 graph."""
        return self.folder / "fp32.pb"

    def load(self) -> Samples:
        """Random input with structure, without labels: those that calibrate, and others."""
        return Samples(np.load(self.folder / "samples.npy", mmap_mode="r"), [], [])


def named(names: list[str], build: Path) -> list[Made]:
    """The networks with one of ``names`` in theirs, all without names; made below ``build`` where they are missing."""
    wanted = [net for net in NETS if not names or any(name in net for name in names)]
    return [_made(net, build / net) for net in wanted]


def _made(net: str, folder: Path) -> Made:
    output = folder / "output.txt"
    if not output.is_file():
        import zoo_keras

        folder.mkdir(parents=True, exist_ok=True)
        graph, name, ends, shape = zoo_keras.frozen(net)
        (folder / "fp32.pb").write_bytes(graph.SerializeToString())
        np.save(folder / "samples.npy", zoo_keras.samples(CALIBRATION + _JUDGED, shape, ends, 1))
        output.write_text(name)  # the last, so that what was interrupted is made again
    return Made(
        f"{net}, random weights",
        "none",
        images="made",
        measure="scores",
        size=None,
        source="x:0",
        outputs=(output.read_text(),),
        folder=folder,
    )
