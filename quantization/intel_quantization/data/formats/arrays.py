"""Arrays in .npy and .npz files: one file, or a folder of them."""

from __future__ import annotations

import os
from typing import Sequence, Tuple

from intel_quantization.data.array_data import array_data
from intel_quantization.data.array_file import EXTENSIONS
from intel_quantization.data.dataset import Dataset
from intel_quantization.data.folders import list_names
from intel_quantization.data.formats.data_format import DataFormat, Wanted


class Arrays(DataFormat):
    """Files known by their names."""

    def find(self, path: str) -> Tuple[str, ...]:
        """The file, or those directly in a folder."""
        if not os.path.isdir(path):
            return (path,) if path.lower().endswith(EXTENSIONS) else ()
        return tuple(os.path.join(path, name) for name in list_names(path) if name.lower().endswith(EXTENSIONS))

    def open(self, found: Sequence[str], wanted: Wanted) -> Dataset:
        """Their arrays, each for the input of its name."""
        return array_data(found, wanted.inputs, wanted.samples, wanted.evaluate, wanted.seed, wanted.labels)


FORMAT = Arrays()
