"""What all stages of one job share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from intel_quantization import job as jobs
from intel_quantization.contract import outputs
from intel_quantization.contract.words import ALGORITHMS, SAVED_MODEL
from intel_quantization.events import EventStream, Stages
from intel_quantization.publish import Publication
from intel_quantization.zoo.config import Entry

DEFAULT_SEED = 0
ALGORITHM = ALGORITHMS[0]
"""The default; measured best, see docs/explanation/calibration.md."""

MADE_UP_ALGORITHM = "DIRECT"
"""With --data none: the others look for values that are rare enough to clip, which made-up data cannot tell."""


@dataclass(frozen=True)
class RunContext:
    """A job, and where it tells and leaves what comes of it.

    Attributes:
        job: with what the zoo's entry adds to it.
        zoo: the entry of the Model Zoo, None without one.
        events: what the launcher hears.
        stages: announces them.
        surroundings: what the job runs on: the start event's fields.
        publication: where its files go.
    """

    job: jobs.Job
    zoo: Entry | None
    events: EventStream
    stages: Stages
    surroundings: dict[str, Any]
    publication: Publication

    @property
    def algo(self) -> str:
        """The calibration algorithm."""
        return self.job.algo or (ALGORITHM if self.job.data is None else MADE_UP_ALGORITHM)

    @property
    def seed(self) -> int:
        """Which samples are drawn."""
        return DEFAULT_SEED if self.job.seed is None else self.job.seed


def output_suffix(job: jobs.Job) -> str:
    """What the publication calls the INT8 graph: a file, or a folder."""
    return outputs.SAVED_MODEL if job.format == SAVED_MODEL else outputs.GRAPH
