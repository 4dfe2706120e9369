"""All evidence together: which mode, how sure that is, and one line that says so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Dict, List, Optional, Sequence

from intel_quantization.choosing import evidence
from intel_quantization.choosing.evidence import Penalties, Trials
from intel_quantization.choosing.layers import Layer
from intel_quantization.choosing.norms import Norm
from intel_quantization.choosing.trial import Trial
from intel_quantization.data.class_scores import Labelling

DEFAULT = "tf"
_UNLABELLED = Labelling()
SURE = 1.0
"""By how much the penalties of the second must be above those of the first."""
_DISAGREES = 1.0
_EXCLUDED = 2.0
"""A mode with such a penalty is out, whatever its answers are like."""
_BESIDE = 0.5  # what answers count beside batch norms, which tell more
_HINT = 0.5
_UNUSUAL = 0.05
_MOST_NAMED = 3


@dataclass(frozen=True)
class Choice:
    """The mode, how sure it is, and one line that says why, naming --preprocess.

    ``order`` of the channels is given where it is found to be another than the mode's own.
    """

    mode: str
    certain: bool
    message: str
    order: Optional[str] = None


@dataclass(frozen=True)
class Material:
    """What there is to judge by.

    Attributes:
        trials: one of each mode.
        labelling: what the labels of the images mean.
        norms, layers: what in the graph tells, see the modules of their names.
        hint: the mode that names in the graph suggest, or None.
        unlikely: the modes that the input's name speaks against.
    """

    trials: Trials
    labelling: Labelling = _UNLABELLED
    norms: Sequence[Norm] = ()
    layers: Sequence[Layer] = ()
    hint: Optional[str] = None
    unlikely: Sequence[str] = ()


def rank(material: Material) -> Dict[str, float]:
    """All penalties of each mode together, the best mode first."""
    return _rank(material, _weigh_kinds(material))


def _rank(material: Material, kinds: Dict[str, Penalties]) -> Dict[str, float]:
    modes = [trial.mode for trial in material.trials]
    totals = {mode: sum(kind[mode] for kind in kinds.values()) + _judge_weakness(material, mode) for mode in modes}
    return {mode: totals[mode] for mode in sorted(totals, key=lambda mode: totals[mode])}


def decide(material: Material) -> Choice:
    """The mode that most speaks for."""
    kinds = _weigh_kinds(material)
    totals = _rank(material, kinds)
    ranking = list(totals)
    chosen = ranking[0]
    near = [mode for mode in ranking[1:] if totals[mode] - totals[chosen] < SURE]
    doubts = [name for name, kind in kinds.items() if kind[chosen] >= _DISAGREES]
    far = bool(material.norms) and _least_divergence(material) >= evidence.TOO_FAR
    details = _tell_details(material, kinds, ranking)
    if not kinds:
        why = "nothing in the graph or in its answers tells"
    elif near:
        why = "{} may be as right".format(" or ".join(near[:_MOST_NAMED]))
    elif doubts:
        why = f"{' and '.join(doubts)} would have another"
    elif far:
        why = "no known one gives what the batch norms remember"
    else:
        return Choice(chosen, True, f"preprocessing: {chosen} fits best ({details}; --preprocess overrides)")
    more = f" ({details})" if details else ""
    option = f"give --preprocess {chosen} if it is right, or " + _tell_alternatives(near)
    return Choice(chosen, False, f"preprocessing: assumed {chosen}, but not sure: {why}{more}; {option}")


def in_order(choice: Choice, rgb: Trial, bgr: Trial, norms: Sequence[Norm]) -> Choice:
    """The choice, with the order of channels that the batch norms remember, if that is clearly bgr.

    Args:
        choice: a mode that takes RGB.
        rgb, bgr: trials of the mode in both orders, of the same images.
        norms: what remembers.
    """
    named = [replace(rgb, mode="rgb"), replace(bgr, mode="bgr")]
    penalties = evidence.by_norms(named, norms)
    if penalties is None or penalties["rgb"] < SURE:
        return choice
    apart = ", ".join(f"{trial.mode} {evidence.divergence(trial, norms):.2f}" for trial in named)
    more = f"; channels bgr, as batch norms remember them ({apart}; --channel_order rgb overrides)"
    return replace(choice, message=choice.message + more, order="bgr")


def _tell_alternatives(near: List[str]) -> str:
    named = ", ".join(f"--preprocess {mode}" for mode in near[:_MOST_NAMED])
    return named or "another, or --mean and --std"


def _weigh_kinds(material: Material) -> Dict[str, Penalties]:
    trials = material.trials
    found: Dict[str, Penalties] = {}
    inner = evidence.by_norms(trials, material.norms) if material.norms else evidence.by_layers(trials, material.layers)
    if inner is not None:
        found["the batch norms" if material.norms else "the biases"] = inner
    plausible = [trial.mode for trial in trials if inner is None or inner[trial.mode] < _EXCLUDED]
    for name, penalties in (
        ("the labels", evidence.by_labels(trials, material.labelling)),
        ("the answers", evidence.by_answers(trials, plausible)),
    ):
        if penalties is not None:
            found[name] = penalties
    if "the batch norms" in found and "the answers" in found:
        found["the answers"] = {mode: _BESIDE * value for mode, value in found["the answers"].items()}
    return found


def _judge_weakness(material: Material, mode: str) -> float:
    penalty = 0.0 if mode == DEFAULT else _UNUSUAL
    if material.hint is not None and mode != material.hint:
        penalty += _HINT
    if mode in material.unlikely:
        penalty += _HINT
    return penalty


def _least_divergence(material: Material) -> float:
    return min(evidence.divergence(trial, material.norms) for trial in material.trials)


def _tell_details(material: Material, kinds: Dict[str, Penalties], ranking: List[str]) -> str:
    """What was measured, for the best modes first."""
    by_mode = {trial.mode: trial for trial in material.trials}
    parts: List[str] = []
    if "the labels" in kinds:
        shares = {mode: evidence.accuracy(trial, material.labelling) for mode, trial in by_mode.items()}
        parts.append(", ".join(f"{mode} {100 * shares[mode]:.0f} % right" for mode in ranking))
    if "the batch norms" in kinds:
        shown = [f"{mode} {evidence.divergence(by_mode[mode], material.norms):.2f}" for mode in ranking]
        parts.append("distance from what batch norms remember: " + ", ".join(shown))
    if kinds and not parts:
        shown = [f"{mode} {sum(kind[mode] for kind in kinds.values()):.1f}" for mode in ranking]
        parts.append("misfit of {}: {}".format(" and ".join(kinds), ", ".join(shown)))
    if material.hint is not None or material.unlikely:
        parts.append("names in the graph suggest " + (material.hint or ranking[0]))
    return "; ".join(parts)
