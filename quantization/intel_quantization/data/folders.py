"""What a folder of data holds, by name."""

from __future__ import annotations

import os
from typing import List

from intel_quantization.errors import BadInputError


def list_names(folder: str) -> List[str]:
    """The names in a folder, sorted, without hidden ones.

    Raises:
        BadInputError: it cannot be read.
    """
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError as error:
        raise BadInputError(
            f"cannot read the dataset folder {folder}: {error.strerror}",
            "check --data_location and the folder's permissions",
        ) from None
