"""What a trial of each mode says against the modes: one function for each kind of evidence.

Each gives a penalty for every mode, 0 for the one that fits best. A penalty of 1 is what a kind of evidence needs to be
sure by itself; the margins are such that it was never wrong about the networks that were measured, see
docs/how-to/preprocessing.md.
None: it says nothing.
"""

from __future__ import annotations

from typing import Dict, Optional, Sequence

import numpy as np

from intel_quantization.choosing.layers import Layer
from intel_quantization.choosing.norms import Norm
from intel_quantization.choosing.trial import Trial
from intel_quantization.data import class_scores

Penalties = Dict[str, float]
Trials = Sequence[Trial]

MOST_NORMS = 12
MOST_LAYERS = 16
_MOST = 4.0  # of any penalty
_FAR_OFF = 10.0  # nats; farther is not worse

_NORM_FLOOR = 0.08  # nats, by images: what a few images differ from a training set
_NORM_RATIO = 2.5
TOO_FAR = 0.5
"""Nats: where no mode comes nearer to what batch norms remember, the right one may not be among them."""

_SLOPE_ERROR = 0.5  # a larger one tells nothing
_SLOPE_OTHER = 0.2  # what slopes differ by besides
_SLOPE_MOST = 4.0
_SLOPE_MARGIN = 3.0
_SPREAD_MARGIN = 0.45
_FEWEST_LAYERS = 4

_FIT_MARGIN = 0.2
_FIT_MOST = 2.0
_IMAGES = 16
_FEWEST_IMAGES = 4
_MANY_CLASSES = 10
_FEW_CLASSES = 4.0  # times the margin


def by_norms(trials: Trials, norms: Sequence[Norm]) -> Optional[Penalties]:
    """Channels against what the batch norms remember of them."""
    if not norms:
        return None
    apart = {trial.mode: divergence(trial, norms) for trial in trials}
    best = min(apart.values())
    trust = 1.0 if best < TOO_FAR else TOO_FAR / best
    floor = _NORM_FLOOR / trials[0].images
    scaled = {mode: float(np.log((value + floor) / (best + floor))) for mode, value in apart.items()}
    return {mode: min(trust * value / np.log(_NORM_RATIO), _MOST) for mode, value in scaled.items()}


def divergence(trial: Trial, norms: Sequence[Norm]) -> float:
    """Mean KL divergence of channels from what the first batch norms remember of them, in nats.

    The first one weighs most: what comes later depends on the pixels less and less.
    """
    values = []
    for norm in norms[:MOST_NORMS]:
        found = norm.divergence(*trial.moments(norm.output))
        values.append(float(np.minimum(np.nan_to_num(found, nan=_FAR_OFF, posinf=_FAR_OFF), _FAR_OFF).mean()))
    return float(np.average(values, weights=1.0 / np.arange(1, len(values) + 1)))


def by_layers(trials: Trials, layers: Sequence[Layer]) -> Optional[Penalties]:
    """Whether biases take back what they have to; tells little between modes that differ by a small factor only."""
    if len(layers) < _FEWEST_LAYERS:
        return None
    means = {trial.mode: [trial.moments(layer.output)[0] for layer in layers] for trial in trials}
    spreads = {
        mode: float(np.nan_to_num(np.mean([layer.spread(mean) for layer, mean in zip(layers, found)]), nan=_FAR_OFF))
        for mode, found in means.items()
    }
    slopes = {mode: _slope_misfit(layers, found) for mode, found in means.items()}
    known = [value for value in slopes.values() if value is not None]
    best_slope, best_spread = min(known, default=0.0), min(spreads.values())
    penalties = {}
    for mode, spread in spreads.items():
        slope = slopes[mode]
        by_spread = (spread - best_spread) / _SPREAD_MARGIN
        by_slope = 0.25 * by_spread if slope is None else (slope - best_slope) / _SLOPE_MARGIN
        penalties[mode] = min(float(np.sqrt(by_slope * by_spread)), _MOST)  # both have to agree
    least = min(penalties.values())
    return {mode: value - least for mode, value in penalties.items()}


def _slope_misfit(layers: Sequence[Layer], means: Sequence[np.ndarray]) -> Optional[float]:
    """Mean squared distance of the slopes of layers from -1, in standard errors."""
    found = []
    for layer, mean in zip(layers, means):
        slope, error = layer.slope(mean)
        if error < _SLOPE_ERROR:
            found.append(min(abs(slope + 1.0) / np.hypot(error, _SLOPE_OTHER), _SLOPE_MOST) ** 2)
    return float(np.mean(found)) if len(found) >= _FEWEST_LAYERS else None


def by_labels(trials: Trials, labelling: class_scores.Labelling) -> Optional[Penalties]:
    """Images that only one of two modes gets right."""
    right: Dict[str, np.ndarray] = {}
    for trial in trials:
        found = trial.right(labelling)
        if found is None:
            return None
        right[trial.mode] = found
    best = max(right, key=lambda mode: int(right[mode].sum()))
    penalties = {}
    for mode, found in right.items():
        won, lost = int((right[best] & ~found).sum()), int((found & ~right[best]).sum())
        penalties[mode] = min((won - lost) / max(3.0, 2.0 * np.sqrt(won + lost)), _MOST)
    return penalties


def accuracy(trial: Trial, labelling: class_scores.Labelling) -> float:
    """Share of images that are right, of a trial with labels that fit."""
    right = trial.right(labelling)
    return 0.0 if right is None else float(right.mean())


def by_answers(trials: Trials, plausible: Sequence[str]) -> Optional[Penalties]:
    """Whether answers are sure, and differ between images: without labels, and for distributions over classes only.

    Mutual information between image and class, plus mean top probability: raw pixels saturate a network, which is
    then very sure, and says the same of everything; or says two things, so that other evidence goes first.

    Args:
        trials: of all modes.
        plausible: the modes that other evidence leaves; the others get no penalty here.
    """
    fits = {trial.mode: fit(trial) for trial in trials if trial.mode in plausible}
    values = [value for value in fits.values() if value is not None]
    answers = trials[0].answers.distributions
    if len(values) < len(fits) or not values or answers is None:
        return None
    margin = _FIT_MARGIN * max(1.0, np.sqrt(_IMAGES / len(answers)))
    if answers.shape[-1] < _MANY_CLASSES:
        margin *= _FEW_CLASSES
    best = max(values)
    penalties = {mode: min((best - value) / margin, _FIT_MOST) for mode, value in fits.items() if value is not None}
    return {trial.mode: penalties.get(trial.mode, 0.0) for trial in trials}


def fit(trial: Trial) -> Optional[float]:
    """Information plus top probability; None where no output is a distribution, or there are too few images."""
    found = trial.answers.distributions
    if found is None or len(found) < _FEWEST_IMAGES:
        return None
    rows = np.nan_to_num(found, nan=0.0, posinf=0.0, neginf=0.0).reshape(-1, found.shape[-1])
    information = _compute_entropy(rows.mean(axis=0)) - _compute_entropy(rows).mean()
    return float(information + rows.max(axis=1).mean())


def _compute_entropy(rows: np.ndarray) -> np.ndarray:
    return -(rows * np.log(np.maximum(rows, 1e-30))).sum(axis=-1)
