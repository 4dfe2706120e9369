"""Failures of the inside that a user can meet; each has a kind and an exit status.

The kinds and statuses are those that the launcher knows (``launcher/errors.py``).
"""

from __future__ import annotations


class QuantizationError(ValueError):
    """The conversion failed. A ValueError, which is what intel-quantization 1.1 raised, so that its users catch it.

    Args:
        message: one line, what happened and where.
        remedy: one line, what the user can do; may be empty.
    """

    kind = "quantization_failed"
    exit_code = 8

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class BadInputError(QuantizationError):
    """A graph, a dataset or an option cannot be used."""

    kind = "bad_input"
    exit_code = 3


class CalibrationCommandError(BadInputError):
    """The user's calibration command failed, hung, or did not run the graph."""


class InvalidGraphError(QuantizationError):
    """A rewrite left a graph that breaks an invariant: a defect of this package."""


class OutOfMemoryError(QuantizationError):
    """TensorFlow or Python could not allocate memory."""

    kind = "out_of_memory"
    exit_code = 9


class OutputError(QuantizationError):
    """A result could not be written."""

    kind = "output_refused"
    exit_code = 11


class UsageError(QuantizationError):
    """The command line is wrong."""

    kind = "usage"
    exit_code = 2
