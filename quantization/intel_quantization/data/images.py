"""Which images a dataset folder holds, their labels, and which of them serve for what."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from typing import Any

from intel_quantization.errors import BadInputError

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".gif")
DEFAULT_SAMPLES = 100
DEFAULT_EVALUATE = 500


@dataclass(frozen=True)
class Image:
    """One sample: an image file, or what ``path`` calls it in messages where it is none.

    ``label`` is its class, or None. ``data`` are the bytes of an image that is in no file of its own. ``truth`` is what
    is right where that is no class: Boxes or a Mask, or None.
    """

    path: str
    label: int | None = None
    data: bytes | None = field(default=None, repr=False, compare=False)
    truth: Any = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Images:
    """All images of a folder, in a fixed order.

    ``classes`` are the class folders' names, empty for a flat folder, whose sub-folders are only counted: ``ignored``.
    """

    files: tuple[Image, ...]
    classes: tuple[str, ...] = ()
    ignored: int = 0


@dataclass(frozen=True)
class Split:
    """Samples for calibration, and others for evaluation; none is in both.

    Each part is a tuple of Images, or what another kind of data has in its place: sized and sliceable.
    """

    calibration: Any
    evaluation: Any


def discover(root: str) -> Images:
    """The images of ``root``: those directly in it, or else those in its sub-folders, one class a folder.

    Class folders are numbered in the order of their names (numerically if all are whole numbers); an empty one
    counts, so that a partial copy of a dataset keeps its numbering. Hidden files and folders are left out.

    Raises:
        BadInputError: no image is there, or the folder cannot be read.
    """
    files, folders = _list(root)
    if files:
        return Images(tuple(Image(os.path.join(root, name)) for name in files), ignored=len(folders))
    numeric = all(name.isdigit() and name.isascii() for name in folders)
    classes = sorted(folders, key=_by_number if numeric else None)
    found: list[Image] = []
    for label, name in enumerate(classes):
        found.extend(Image(path, label) for path in _walk(os.path.join(root, name)))
    if not found:
        raise BadInputError(
            "no images in {}: looked for {} there and in its sub-folders".format(root, ", ".join(EXTENSIONS)),
            "give --data_location a folder of images, or of one sub-folder of images for each class",
        )
    return Images(tuple(found), tuple(classes))


def _by_number(name: str) -> tuple[int, str, str]:
    """Orders digits as numbers, of any length."""
    digits = name.lstrip("0")
    return len(digits), digits, name


def discover_coco(root: str) -> Images | None:
    """The images of COCO's own layout: sub-folders of images beside ``annotations`` with JSON files; else None.

    The annotations are not read here. Of several sub-folders, those of validation
    are taken.
    """
    files, folders = _list(root)
    annotations = os.path.join(root, "annotations")
    if files or "annotations" not in folders or not any(name.endswith(".json") for name in os.listdir(annotations)):
        return None
    others = [name for name in folders if name != "annotations"]
    chosen = [name for name in others if name.startswith("val")] or others
    found = tuple(Image(path) for name in chosen for path in _walk(os.path.join(root, name)))
    return Images(found) if found else None


def _list(folder: str) -> tuple[list[str], list[str]]:
    """Names of image files and of sub-folders in ``folder``, sorted."""
    files, folders = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    folders.append(entry.name)
                elif not entry.name.lower().endswith(EXTENSIONS):
                    continue
                elif entry.is_file():
                    files.append(entry.name)
                elif entry.is_symlink():
                    raise BadInputError(
                        f"the image {entry.path} is a symlink that leads nowhere (in a container: out of the dataset)",
                        "put the images themselves into the folder, or give --data_location the folder that has them",
                    )
    except OSError as error:
        raise BadInputError(
            f"cannot read the dataset folder {folder}: {error.strerror}",
            "check --data_location and the folder's permissions",
        ) from None
    return sorted(files), sorted(folders)


def _walk(folder: str) -> list[str]:
    files, folders = _list(folder)
    paths = [os.path.join(folder, name) for name in files]
    for name in folders:
        if not os.path.islink(os.path.join(folder, name)):  # a link may point at a folder above: no end
            paths.extend(_walk(os.path.join(folder, name)))
    return paths


def split(files: tuple[Image, ...], samples: int | None = None, evaluate: int | None = None, seed: int = 0) -> Split:
    """Divide ``files`` into images to calibrate with and other images to evaluate on.

    Both are drawn at random but reproducibly, each class by its share of the whole.

    Args:
        samples: how many to calibrate with; by default half of the images, at most 100.
        evaluate: how many of the rest to evaluate on; by default all, at most 500.
    """
    order = shuffled(files, seed)
    samples, evaluate = sizes(len(order), samples, evaluate)
    return Split(order[:samples], order[samples : samples + evaluate])


def sizes(total: int, samples: int | None = None, evaluate: int | None = None) -> tuple[int, int]:
    """How many of ``total`` samples calibrate, and how many others compare; see ``split``."""
    if samples is None:
        samples = min(DEFAULT_SAMPLES, max(1, total // 2))
    samples = min(samples, total)
    return samples, min(DEFAULT_EVALUATE if evaluate is None else evaluate, total - samples)


def shuffled(files: tuple[Image, ...], seed: int = 0) -> tuple[Image, ...]:
    """``files`` in an order that ``seed`` determines and of which every prefix has all classes by their shares."""
    rng = random.Random(seed)
    by_class: dict[int | None, list[Image]] = {}
    for image in files:
        by_class.setdefault(image.label, []).append(image)
    placed: list[tuple[float, int, Image]] = []
    for members in by_class.values():
        rng.shuffle(members)
        offset = rng.random()
        for rank, image in enumerate(members):
            placed.append(((rank + offset) / len(members), len(placed), image))
    return tuple(image for _, _, image in sorted(placed, key=lambda item: item[:2]))
