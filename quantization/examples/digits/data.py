"""Writes scikit-learn's handwritten digits as files: held-out ones as PNG in class folders, the others to train on.

Runs on the host, in the workshop's environment; scikit-learn ships the data, so nothing is downloaded.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SIZE = 32
HELD_OUT = 600


def write(folder: Path) -> tuple[Path, Path]:
    """Write ``folder/digits/<digit>/*.png`` (held out) and ``folder/training/training.npz``.

    The npz holds ``images`` uint8 [n, 32, 32, 1] and ``labels`` int64 [n].

    Returns:
        The two folders.
    """
    digits = load_digits()
    pixels = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    images = [Image.fromarray(picture).resize((SIZE, SIZE), Image.Resampling.BICUBIC) for picture in pixels]
    training, held_out = train_test_split(
        np.arange(len(images)), test_size=HELD_OUT, random_state=0, stratify=digits.target
    )

    pictures = folder / "digits"
    shutil.rmtree(pictures, ignore_errors=True)
    for digit in range(10):
        (pictures / str(digit)).mkdir(parents=True)
    for index in held_out:
        images[index].save(pictures / str(digits.target[index]) / f"{index:04d}.png")

    archive = folder / "training"
    archive.mkdir(exist_ok=True)
    stacked = np.stack([np.asarray(images[index]) for index in training])[..., np.newaxis]
    np.savez(archive / "training.npz", images=stacked, labels=digits.target[training])
    return pictures, archive
