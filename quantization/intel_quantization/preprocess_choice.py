"""Chooses the preprocessing by trying: under the right one, a network tells images apart and is sure of each.

Measured on five published networks, 44 draws of 16 unlabelled images: mutual information between image and class plus
mean top probability finds the right mode in 43, mean top probability alone in 32 (raw pixels saturate a network: very
sure, and wrong).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from intel_quantization import evaluate, outputs, preprocess

IMAGES = 16
DEFAULT = "tf"
_TIE = {"accuracy": 1e-9, "fit": 0.1}
_FEWEST = 4


@dataclass(frozen=True)
class Score:
    """How a network did under one mode.

    Attributes:
        accuracy: share of right answers, 0..1; None where labels are not known.
        information: mutual information between image and class, in nats; None for logits.
        top: mean probability of the best class; None for logits.
    """

    mode: str
    accuracy: float | None
    information: float | None
    top: float | None

    @property
    def fit(self) -> float | None:
        """How well the mode fits as far as labels are not needed to tell; None for logits."""
        return None if self.information is None or self.top is None else self.information + self.top


@dataclass(frozen=True)
class Choice:
    """The mode, how sure it is, and one sentence that says why, naming --preprocess."""

    mode: str
    certain: bool
    message: str


def choose_by_trying(runner, make_feed, layout, labelling: outputs.Labelling) -> Choice:
    """The mode under which a graph does best; the message of the choice has every mode's scores.

    Args:
        runner: a Runner of the FP32 graph.
        make_feed: callable(mode) -> feed of some images; IMAGES are enough.
        layout: how the graph takes images.
        labelling: what the labels of the dataset mean.
    """
    scores = []

    def try_mode(mode):
        result = evaluate.labelled_scores(runner, make_feed(mode), labelling)
        if result is None:
            return None
        scores.append(score(mode, *result))
        return scores[-1]

    choice = choose(try_mode, layout.dtype, layout.channels)
    if not scores:
        return choice
    details = ", ".join(_score_text(each) for each in scores)
    if choice.certain:
        details += "; --preprocess overrides"
    return replace(choice, message=f"{choice.message} ({details})")


def choose(try_mode, dtype: str, channels: int) -> Choice:
    """The mode for an input of ``dtype`` with 1 or 3 ``channels``.

    Args:
        try_mode: callable(mode) -> Score | None; None if the output is no row of class scores.
    """
    modes = preprocess.modes_for(dtype, channels)
    if len(modes) == 1:
        return Choice(modes[0], True, f"preprocessing: {modes[0]}, as the graph takes {dtype} pixels")
    scores = []
    for mode in modes:
        score = try_mode(mode)
        if score is None or (score.accuracy is None and score.information is None):
            why = "the output is no distribution over classes, so that no mode can be told to be right"
            return Choice(DEFAULT, False, _assumed(why))
        scores.append(score)
    for criterion, margin in _TIE.items():
        values = [getattr(score, criterion) for score in scores]
        if any(value is None for value in values):
            continue
        best = max(values)
        scores = [score for score, value in zip(scores, values) if value >= best - margin]
        if len(scores) == 1:
            chosen = scores[0]
            return Choice(chosen.mode, True, f"preprocessing: {chosen.mode} fits best")
    tied = [score.mode for score in scores]
    mode = DEFAULT if DEFAULT in tied else max(scores, key=lambda each: each.fit or 0.0).mode
    return Choice(mode, False, _assumed("{} do equally well".format(", ".join(tied)), mode))


def _assumed(why: str, mode: str = DEFAULT) -> str:
    return f"preprocessing: assumed {mode}, because {why}; name the right one with --preprocess"


def score(mode: str, rows: np.ndarray, probabilities: bool, labels: np.ndarray | None) -> Score | None:
    """The Score of outputs ``rows`` [images, C] under ``mode``; ``labels`` [images] index C, or None."""
    if not np.isfinite(rows).all():
        rows = np.nan_to_num(rows, nan=0.0, posinf=0.0, neginf=0.0)
    accuracy = None if labels is None else float(outputs.correct(rows, labels).mean())
    if not probabilities or len(rows) < _FEWEST:
        return Score(mode, accuracy, None, None)
    entropy = _entropy(rows).mean()
    return Score(mode, accuracy, float(_entropy(rows.mean(axis=0)) - entropy), float(rows.max(axis=1).mean()))


def _entropy(rows: np.ndarray) -> np.ndarray:
    return -(rows * np.log(np.maximum(rows, 1e-30))).sum(axis=-1)


def _score_text(score) -> str:
    if score.accuracy is not None:
        return f"{score.mode} {100 * score.accuracy:.0f} % right"
    return f"{score.mode} {score.fit:.2f}" if score.fit is not None else f"{score.mode}: no class scores"
