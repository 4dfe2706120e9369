"""Chooses the preprocessing of a graph that nobody has named one for, from a few images and all that the graph tells.

A graph that takes bytes, or that normalises them itself, settles it. Else the images go through the FP32 graph in
each way, and what they give is judged: see the modules of :mod:`intel_quantization.choosing`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Callable, Sequence

from tensorflow.core.framework.graph_pb2 import GraphDef

from intel_quantization.choosing import evidence, hints
from intel_quantization.choosing.layers import find_layers
from intel_quantization.choosing.norms import find_norms
from intel_quantization.choosing.own_normalisation import own_map, wanted_mode
from intel_quantization.choosing.trial import Laboratory, Trial
from intel_quantization.choosing.verdict import SURE, Choice, Material, decide, in_order, rank
from intel_quantization.data import class_scores, preprocess
from intel_quantization.data.dataset import Dataset
from intel_quantization.data.feeds import Layout, image_input
from intel_quantization.data.preprocess import Preprocessing
from intel_quantization.graph import tensors
from intel_quantization.graph.graph import Graph
from intel_quantization.reading.interface import TensorInfo
from intel_quantization.transforms.pipeline import optimize

IMAGES = 32
TURNS = 8
"""The images are tried in so many parts, four in each."""
_ENOUGH = 4  # turns, unless two modes are too near each other
_FAR_BEHIND = 2.5  # penalties
_BOTH_ORDERS = ("caffe", "vgg")  # are each other's


@dataclass(frozen=True)
class Candidate:
    """A graph whose preprocessing is to be chosen.

    Attributes:
        graph_def: the FP32 graph.
        fetches: its outputs, names of tensors.
        inputs: TensorInfos; one of them takes images.
        threads: see :class:`intel_quantization.measure.runner.Runner`.
    """

    graph_def: GraphDef
    fetches: Sequence[str]
    inputs: Sequence[TensorInfo]
    threads: int | None = None


def choose_for(candidate: Candidate, data: Dataset, base: Preprocessing, batch_size: int | None) -> Choice:
    """The choice for some of the images of ``data``.

    Args:
        candidate: the graph.
        data: of images, so that it has a layout.
        base: what of the preprocessing is settled: order and resizing.
        batch_size: images in one batch, where the graph does not fix it.
    """
    assert data.layout is not None
    part = data.split.calibration or data.split.evaluation
    # some kinds of data keep the order of their files, which may be that of the classes
    some = part[:: max(len(part) // IMAGES, 1)][:IMAGES]

    turns = TURNS if len(some) > 2 * TURNS else 1

    def make_feed(tried: Preprocessing, turn: int) -> Any:
        wanted = replace(tried, resizing=base.resizing)
        return data.feed(some[turn::turns] if turn < turns else some[:0], wanted, batch_size)

    return choose_by_trying(candidate, make_feed, data.layout, data.labelling, base.order)


def choose_by_trying(
    candidate: Candidate,
    make_feed: Callable[..., Any],
    layout: Layout,
    labelling: class_scores.Labelling,
    order: str | None = None,
) -> Choice:
    """The mode under which a graph does best.

    Args:
        candidate: the graph.
        make_feed: callable(Preprocessing, turn) -> feed of some images, others for each turn of TURNS. What is far
            behind after one gets no more, and the later turns are for modes too near each other; a feed may be empty.
        layout: how the graph takes images.
        labelling: what the labels of the dataset mean.
        order: of the channels, where that is settled.
    """
    modes = _list_modes(layout, order)
    if len(modes) == 1:
        return Choice(modes[0], True, f"preprocessing: {modes[0]}, as the graph takes {layout.dtype} pixels")
    tensor = image_input(candidate.inputs)[0]
    norms = find_norms(Graph(candidate.graph_def, candidate.fetches))
    graph = Graph(candidate.graph_def, candidate.fetches)
    optimize(graph)
    own = own_map(graph, tensor.node, layout.channels)
    wanted = None if own is None else wanted_mode(own)
    if wanted in modes:
        return Choice(wanted, True, f"preprocessing: {wanted}, as the graph itself normalises what it is given")
    norms = tuple(norm for norm in norms if tensors.node_of(norm.output) in graph)[: evidence.MOST_NORMS]
    layers = () if norms else find_layers(graph, evidence.MOST_LAYERS)
    hint = hints.hinted_mode(graph.nodes)
    unlikely = hints.modes_not_behind(tensor.node)
    material = Material((), labelling, norms, layers, hint if hint in modes else None, unlikely)
    watched = [norm.output for norm in norms] + [layer.output for layer in layers]
    with Laboratory(graph.to_graph_def(), candidate.fetches, watched, candidate.threads) as laboratory:

        def run(mode: str, turn: int, channels: str | None = order) -> Trial:
            return laboratory.run(mode, make_feed(Preprocessing(mode, channels), turn))

        material = _try_modes(material, modes, run)
        choice = decide(material)
        if order is None and norms and layout.channels == 3 and choice.certain and choice.mode not in _BOTH_ORDERS:
            rgb = next(trial for trial in material.trials if trial.mode == choice.mode)
            return in_order(choice, rgb, _same_images(rgb, lambda turn: run(choice.mode, turn, "bgr")), norms)
        return choice


def _try_modes(material: Material, modes: Sequence[str], run: Callable[[str, int], Trial]) -> Material:
    """The material with the trials of the modes that are worth it."""
    trials = [run(mode, 0) for mode in modes]
    for turn in range(1, TURNS):
        penalties = rank(replace(material, trials=trials))
        best, *others = sorted(penalties.values())
        left = [trial for trial in trials if penalties[trial.mode] < best + _FAR_BEHIND]
        if len(left) == 1 or (turn >= _ENOUGH and others[0] >= best + SURE):
            break
        trials = [trial.with_more(run(trial.mode, turn)) for trial in left]
    return replace(material, trials=trials)


def _same_images(like: Trial, run: Callable[[int], Trial]) -> Trial:
    """The trial of the images that another is of, which were those of the first turns."""
    trial = run(0)
    for turn in range(1, TURNS):
        if trial.images < like.images:
            trial = trial.with_more(run(turn))
    return trial


def _list_modes(layout: Layout, order: str | None) -> tuple[str, ...]:
    """In an order that is settled, vgg and caffe are the same; each is called by the name for it."""
    other = {"rgb": "caffe", "bgr": "vgg"}.get(order or "")
    return tuple(mode for mode in preprocess.modes_for(layout.dtype, layout.channels) if mode != other)
