"""What a job says about preprocessing, and what of it is used."""

from __future__ import annotations

from dataclasses import dataclass

from intel_quantization.choosing.preprocess_choice import Candidate, choose_for
from intel_quantization.data.dataset import Dataset
from intel_quantization.data.preprocess import CUSTOM, Preprocessing
from intel_quantization.data.resizing import STRETCH, parse_resizing
from intel_quantization.events import EventStream
from intel_quantization.job import Job

_OPTIONS = ("preprocess", "scale", "mean", "std", "channel_order", "resize")


def given_options(job: Job) -> tuple[str, ...]:
    """The options of preprocessing that are given."""
    return tuple(name for name in _OPTIONS if getattr(job, name) is not None)


def is_chosen(job: Job) -> bool:
    """Whether the mode is left to be chosen by trying."""
    return job.preprocess is None and job.scale is None and job.mean is None and job.std is None


def wanted(job: Job) -> Preprocessing:
    """What the options say; the mode is ``none`` where none is given."""
    resizing = STRETCH if job.resize is None else parse_resizing(job.resize)
    if is_chosen(job) or job.preprocess is not None:
        return Preprocessing(job.preprocess or "none", job.channel_order, resizing=resizing)
    return Preprocessing(
        CUSTOM, job.channel_order, job.scale or (1.0,), job.mean or (0.0,), job.std or (1.0,), resizing
    )


@dataclass(frozen=True)
class Settled:
    """What becomes of pixels (None: the data are fed as they are), and why that may be wrong, if it may."""

    preprocessing: Preprocessing | None
    doubt: str = ""


def settle(job: Job, data: Dataset, candidate: Candidate, events: EventStream) -> Settled:
    """What becomes of the pixels of ``data``: as the options say, or chosen."""
    if data.layout is None:
        return Settled(None)
    base = wanted(job)
    if not is_chosen(job):
        return Settled(base)
    choice = choose_for(candidate, data, base, job.batch_size)
    events.log(choice.message, "info" if choice.certain else "warning")
    return Settled(
        Preprocessing(choice.mode, base.order or choice.order, resizing=base.resizing),
        "" if choice.certain else choice.message,
    )


def warnings_about(job: Job, data: Dataset) -> list[str]:
    """Options that do not apply to these data."""
    given = given_options(job)
    if given and data.layout is None:
        return [f"--{given[0]} does not apply: these data are fed as they are"]
    if job.resize is not None and data.layout is not None and (data.layout.size is None or not data.resizes):
        why = "the graph takes pictures of any size" if data.layout.size is None else "arrays have a size already"
        return [f"--resize does not apply: {why}"]
    return []
