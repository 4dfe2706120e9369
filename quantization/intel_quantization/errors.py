"""Failures of the inside that a user can meet; each has a kind and an exit status.

The kinds and statuses are the contract's.
"""

from __future__ import annotations

from intel_quantization.contract import failures


class QuantizationError(ValueError):
    """The conversion failed. A ValueError, which is what intel-quantization 1.1 raised, so that its users catch it.

    Args:
        message: one line, what happened and where.
        remedy: one line, what the user can do; may be empty.
    """

    kind = failures.QUANTIZATION_FAILED.kind
    exit_code = failures.QUANTIZATION_FAILED.code

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class BadInputError(QuantizationError):
    """A graph, a dataset or an option cannot be used."""

    kind = failures.BAD_INPUT.kind
    exit_code = failures.BAD_INPUT.code


class CalibrationCommandError(BadInputError):
    """The user's calibration command failed, hung, or did not run the graph."""


class InvalidGraphError(QuantizationError):
    """A rewrite left a graph that breaks an invariant: a defect of this package."""


class OutOfMemoryError(QuantizationError):
    """TensorFlow or Python could not allocate memory."""

    kind = failures.OUT_OF_MEMORY.kind
    exit_code = failures.OUT_OF_MEMORY.code


class OutputError(QuantizationError):
    """A result could not be written."""

    kind = failures.OUTPUT_REFUSED.kind
    exit_code = failures.OUTPUT_REFUSED.code


class UsageError(QuantizationError):
    """The command line is wrong."""

    kind = failures.USAGE.kind
    exit_code = failures.USAGE.code
