"""The samples of ../shared as arrays, decoded once and kept in a folder; needs TensorFlow only to decode.

They go through the graphs of any revision, so nothing here is of the package.
"""

from __future__ import annotations

import csv
import json
import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from real_graphs import CALIBRATION, SHARED, Case

_IMAGES = SHARED / "images"
_COCO = _IMAGES / "coco128_val_labels_instances.json"
_KWS = SHARED / "data"
_VGG = np.array([123.68, 116.78, 103.94], np.float32)
_FACES_FROM = "human_facemesh"
_SURE = 0.9  # of the graph's own face flag


@dataclass
class Samples:
    """Samples with what is known of them.

    Attributes:
        values: pixels 0..255 or plain values: an array, or a list of arrays of different sizes.
        labels: classes or texts, one each; empty where there are none.
        names: of the files; empty where there are none.
        calibrate: how many at the front only calibrate; 0: any may.
    """

    values: np.ndarray | list[np.ndarray]
    labels: list
    names: list[str]
    calibrate: int = 0

    def __len__(self) -> int:
        return len(self.values)

    def batch(self, case: Case, rows) -> np.ndarray:
        """Some samples as ``case`` takes them."""
        pixels = np.stack([self.values[row] for row in rows])
        if case.source == "image_tensor:0":
            return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
        pixels = pixels.astype(np.float32)
        if case.mode == "tf":
            return pixels / np.float32(127.5) - np.float32(1)
        if case.mode == "vgg":
            return pixels - _VGG
        return pixels / np.float32(255) if case.mode == "unit" else pixels


class Feed:
    """Samples as feed dicts, which can be iterated again and again."""

    def __init__(self, case: Case, samples: Samples, rows, batch: int) -> None:
        self.groups = [rows[start : start + batch] for start in range(0, len(rows), batch)]
        self._case, self._samples = case, samples

    def __len__(self) -> int:
        return len(self.groups)

    def __iter__(self):
        return ({self._case.source: self._samples.batch(self._case, group)} for group in self.groups)


def folds(case: Case, samples: Samples, draw: int, images: int | None) -> list[tuple[np.ndarray, np.ndarray]]:
    """(samples that calibrate, samples that judge), never the same ones; two where each half judges the other.

    Args:
        draw: the seed.
        images: judge by at most so many.
    """
    random = np.random.RandomState(draw)
    if samples.calibrate:
        judged = np.arange(samples.calibrate, len(samples))
        return [(random.permutation(samples.calibrate)[:CALIBRATION], judged[:images])]
    order = random.permutation(len(samples))
    if not case.folds:
        return [(order[:CALIBRATION], order[CALIBRATION:][:images])]
    half = len(order) // 2
    first, second = order[:half], order[half:]
    limit = None if images is None else images // case.folds
    return [(first, second[:limit]), (second, first[:limit])][: case.folds]


def load(case: Case, folder: Path, size: tuple[int, int] | None = None) -> Samples:
    """The samples of a case, from ``folder`` where they were decoded before.

    Args:
        size: instead of the case's own.
    """
    size = size or case.size
    stem = f"{case.images}_{'x'.join(map(str, size)) if size else 'any'}"
    path, rest = folder / f"{stem}.npy", folder / f"{stem}.pickle"
    if not rest.exists():
        samples = _SOURCES[case.images](size)
        folder.mkdir(parents=True, exist_ok=True)
        if size:
            np.save(path, samples.values)
            samples.values = []
        rest.write_bytes(pickle.dumps(samples))
    samples = pickle.loads(rest.read_bytes())
    if size:
        samples.values = np.load(path, mmap_mode="r")
    return samples


def _decoded(path: Path, size: tuple[int, int] | None) -> np.ndarray:
    import tensorflow as tf

    data = tf.io.read_file(str(path))
    jpeg = path.suffix == ".jpg"
    pixels = tf.io.decode_jpeg(data, 3, dct_method="INTEGER_ACCURATE") if jpeg else tf.io.decode_png(data, 3)
    return pixels.numpy() if size is None else _resized(pixels, size)


def _resized(pixels, size: tuple[int, int]) -> np.ndarray:
    import tensorflow as tf

    return tf.image.resize(pixels, size, method="bilinear", antialias=True).numpy()


def _table(name: str) -> list[dict[str, str]]:
    with open(_IMAGES / name, newline="") as file:
        return list(csv.DictReader(file))


def _imagenet(size) -> Samples:
    rows = _table("imagenet_labelled_500.csv")
    pixels = [_decoded(_IMAGES / "imagenet_labelled_500" / row["file"], size) for row in rows]
    return Samples(np.stack(pixels), [int(row["label"]) for row in rows], [row["file"] for row in rows])


def _coco(size) -> Samples:
    """Labels: whether a person is there."""
    truth = json.loads(_COCO.read_text())
    people = {entry["image_id"] for entry in truth["annotations"] if entry["category_id"] == 1}
    ids = {entry["file_name"]: entry["id"] for entry in truth["images"]}
    paths = sorted((_IMAGES / "coco128_val").iterdir())
    pixels = [_decoded(path, size) for path in paths]
    names = [path.name for path in paths]
    return Samples(np.stack(pixels) if size else pixels, [int(ids[name] in people) for name in names], names)


def _cifar(_size) -> Samples:
    data = np.load(_IMAGES / "cifar10_test_2000.npz")
    return Samples(data["images"], data["labels"].reshape(-1).tolist(), [])


def _kws(_size) -> Samples:
    first, second = np.load(_KWS / "kws_mfcc_calibration_200.npz"), np.load(_KWS / "kws_mfcc_250.npz")
    values = np.concatenate([first["input_1"], second["input_1"]])
    return Samples(values, [*first["labels"].tolist(), *second["labels"].tolist()], [], len(first["input_1"]))


def _textlines(size) -> Samples:
    rows = _table("textlines.csv")
    pixels = [_decoded(_IMAGES / "textlines" / row["file"], size) for row in rows]
    return Samples(np.stack(pixels), [row["text"] for row in rows], [row["file"] for row in rows])


def _faces(size) -> Samples:
    """Faces of the people in the COCO photos: the squares in which the FP32 graph itself is sure of one."""
    import tensorflow as tf
    from graph_runs import Session

    truth = json.loads(_COCO.read_text())
    files = {entry["id"]: entry["file_name"] for entry in truth["images"]}
    people = [entry for entry in truth["annotations"] if entry["category_id"] == 1 and min(entry["bbox"][2:]) >= 32]
    graph = tf.compat.v1.GraphDef.FromString((SHARED / "models" / f"{_FACES_FROM}.pb").read_bytes())
    faces, names = [], []
    with Session(graph, ("Identity_2:0", "Identity_1:0")) as session:
        for entry in people:
            name = files[entry["image_id"]]
            pixels = _decoded(_IMAGES / "coco128_val" / name, None)
            crops = [_cropped(pixels, square, size) for square in _squares(*entry["bbox"])]
            _, flags = session.run({"input_1:0": np.stack(crops) / np.float32(255)})
            flags = flags.reshape(-1)
            if flags.max() >= _SURE:
                faces.append(crops[int(flags.argmax())])
                names.append(f"{name} person {entry['id']}")
    return Samples(np.stack(faces), [], names)


def _squares(left: float, top: float, width: float, height: float) -> list[tuple[float, float, float]]:
    """Where a person's face may be: (left, top, side)."""
    sides = [share * width for share in (0.3, 0.45, 0.65, 0.9, 1.2) if share * width <= 1.3 * height]
    return [
        (left + across * width - side / 2, top - lift * side, side)
        for side in sides
        for across in (0.3, 0.5, 0.7)
        for lift in (0.2, 0.05)
        if side >= 24
    ] or [(left, top, min(width, height))]


def _cropped(pixels: np.ndarray, square: tuple[float, float, float], size) -> np.ndarray:
    left, top, side = (round(value) for value in square)
    margin = 2 * side
    padded = np.pad(pixels, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
    top, left = max(top + margin, 0), max(left + margin, 0)
    return _resized(padded[top : top + side, left : left + side], size)


_SOURCES = {
    "imagenet": _imagenet,
    "coco": _coco,
    "cifar": _cifar,
    "kws": _kws,
    "textlines": _textlines,
    "faces": _faces,
}
