"""The job as it arrives inside, and where its paths are."""

from __future__ import annotations

import os
import re
from pathlib import PurePosixPath

from intel_quantization.contract import job as contract
from intel_quantization.contract.job import Job
from intel_quantization.contract.words import WORKSPACE
from intel_quantization.errors import BadInputError

__all__ = ["Job", "here", "parse", "path", "workspace"]

_WORKSPACE = re.compile(r"(?<![\w./-])%s(?![\w.-])" % re.escape(WORKSPACE))


def parse(text: str) -> Job:
    """The job in ``text``.

    Raises:
        BadInputError: ``text`` is no JSON object, or a key is unknown, missing, of the wrong type or out of range.
    """
    try:
        return contract.parse(text)
    except contract.BadJobError as error:
        raise BadInputError(error.message, error.remedy) from None


def workspace() -> str:
    """The directory that the job's paths are relative to."""
    return os.environ.get("WORKSPACE", WORKSPACE)


def path(relative: str) -> str:
    """``relative`` as an absolute path in the workspace."""
    return os.path.join(workspace(), *PurePosixPath(relative).parts)


def here(text: str) -> str:
    """``text`` with ``/workspace``, where it begins a path, as the workspace is called here."""
    return _WORKSPACE.sub(lambda _match: workspace(), text)
