"""Exit codes, each with the kind that an error event carries."""

from __future__ import annotations

from typing import NamedTuple, Tuple


class Failure(NamedTuple):
    """A way to fail that a user can meet.

    Attributes:
        code: exit code.
        kind: the same for programs, in an error event.
        meaning: one sentence.
        from_inside: whether the job itself may end so; the launcher takes no other kind from it.
    """

    code: int
    kind: str
    meaning: str
    from_inside: bool = False


USAGE = Failure(2, "usage", "The command line is wrong: unknown option, bad value, options that exclude each other.")
BAD_INPUT = Failure(3, "bad_input", "A graph, dataset or other input cannot be used.", from_inside=True)
ENGINE_UNREACHABLE = Failure(
    4,
    "engine_unreachable",
    "No Docker engine answers, or it cannot see this host's files; with --runtime bwrap: bubblewrap walls nothing in.",
)
ENGINE_TOO_OLD = Failure(5, "engine_too_old", "The Docker engine answers, but speaks too old an API.")
BUILD_FAILED = Failure(6, "build_failed", "The image, or the local environment, could not be built.")
IMAGE_MISSING = Failure(7, "image_missing", "The image named with --docker_image is not on the engine.")
QUANTIZATION_FAILED = Failure(8, "quantization_failed", "The job started and failed inside.", from_inside=True)
OUT_OF_MEMORY = Failure(9, "out_of_memory", "The job, or a child of it, met its memory limit.", from_inside=True)
DEADLINE = Failure(10, "deadline", "The job took longer than --timeout, or made no progress for --stall_timeout.")
OUTPUT_REFUSED = Failure(
    11,
    "output_refused",
    "The output path cannot be written, or what the job left there is not acceptable.",
    from_inside=True,
)
ACCURACY = Failure(12, "accuracy", "The INT8 graph loses more accuracy than was allowed.", from_inside=True)
BUSY = Failure(13, "busy", "Another launcher is writing the same output.")
DIFFERENT = Failure(14, "different", "verify or replay found that something is not as the manifest says.")
INTERNAL = Failure(70, "internal", "A defect of this tool.", from_inside=True)

FAILURES: Tuple[Failure, ...] = (
    USAGE,
    BAD_INPUT,
    ENGINE_UNREACHABLE,
    ENGINE_TOO_OLD,
    BUILD_FAILED,
    IMAGE_MISSING,
    QUANTIZATION_FAILED,
    OUT_OF_MEMORY,
    DEADLINE,
    OUTPUT_REFUSED,
    ACCURACY,
    BUSY,
    DIFFERENT,
    INTERNAL,
)
"""All of them, by code."""
