"""The real graphs of ../shared: as they come out by default, none raises an alarm; with a range broken, each does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from intel_quantization.comparison.findings import ALARM
from intel_quantization.data import preprocess
from intel_quantization.data.decode import Decoder
from intel_quantization.data.feeds import Batch, layout_of
from intel_quantization.data.images import Image, discover, shuffled
from intel_quantization.graph.io import read_graph
from intel_quantization.graph_converter import GraphConverter
from intel_quantization.measure import evaluate
from intel_quantization.measure.runner import Runner
from intel_quantization.reading.interface import find_inputs, find_outputs
from tests.quantization.comparison.test_collapse import broken

pytestmark = [pytest.mark.shared, pytest.mark.slow]

IMAGENET = "images/imagenet_labelled_500"
COCO = "images/coco128_val"
KWS = "data/kws_mfcc_250.npz"


@dataclass(frozen=True)
class Case:
    """A graph, how its inputs are made of what, and what its outputs are; ``count`` samples calibrate and compare."""

    graph: str
    mode: str
    data: str
    kinds: tuple
    count: int = 32


CASES = (
    Case("mobilenet_v1_0.25_224_frozen", "tf", IMAGENET, ("scores",)),
    Case("vww_96_frozen", "unit", COCO, ("scores",)),
    Case("kws_ref_model_frozen", "", KWS, ("scores",), 60),
    Case("deeplabv3_mnv2_dm05_pascal_deq", "tf", COCO, ("class_map",), 12),
    Case("ppocr_v4_rec", "tf", "images/textlines", ("sequences",), 16),
    Case("ssd_mobilenet_v1_0.75_300_coco_deq", "none", COCO, ("detections",), 24),
    Case("aiy_mobilenet_ssd_256res_0.125_person_cat_dog", "none", COCO, ("detections",)),
    Case("human_facemesh", "unit", COCO, ("decisions", "values", "values"), 24),
)


class Feed:
    """Samples one by one, as the graph takes them."""

    def __init__(self, case, shared, tensor, part):
        self._case, self._tensor = case, tensor
        if case.data == KWS:
            with np.load(shared / KWS) as archive:
                self._samples = archive["input_1"][part * case.count :][: case.count]
            return
        files = shuffled(discover(str(shared / case.data)).files)[part * case.count :][: case.count]
        layout = layout_of(tensor)
        decoder = Decoder(layout.channels)
        self._samples = [self._values(decoder.read(file.path, layout.size, None), layout.dtype) for file in files]

    def _values(self, pixels, dtype):
        if dtype == "uint8":
            return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
        return (pixels / 255 if self._case.mode == "unit" else preprocess.apply(self._case.mode, pixels)).astype(dtype)

    def __iter__(self):
        return (batch.feed for batch in self.batches())

    def batches(self):
        for sample in self._samples:
            yield Batch({self._tensor.name: sample[np.newaxis]}, (Image(""),))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.graph)
def test_a_real_graph(shared, case):
    graph = read_graph(str(shared / "models" / f"{case.graph}.pb"))
    tensor, outputs = find_inputs(graph)[0], [info.name for info in find_outputs(graph)]
    conversion = GraphConverter(
        graph, per_channel=True, algo="MSE", calibration_data=Feed(case, shared, tensor, 0)
    ).convert()
    feed = Feed(case, shared, tensor, 1)

    def compared(int8):
        with Runner(conversion.input_graph, outputs) as before, Runner(int8, outputs) as after:
            return evaluate.compare(before, after, feed, names=outputs).findings

    good = compared(conversion.graph)
    assert sorted(found.kind for found in good) == sorted(case.kinds)
    assert [found.concerns for found in good] == [()] * len(good), good
    bad = compared(broken(conversion.graph, _early_range(conversion.graph), 1 / 64))
    assert ALARM in {concern.severity for found in bad for concern in found.concerns}, bad


def _early_range(graph):
    """The result of the INT8 op at a fifth of the depth."""
    names = {node.name for node in graph.node}
    ops = [node.name for node in graph.node if "WithBias" in node.op or node.op.startswith("_FusedQuantized")]
    results = [name[: -len("/int8")] for name in ops if name.endswith("/int8") and name[:-4] + "max" in names]
    return results[len(results) // 5]
