"""The graphs of ../shared: how each is fed, what it is judged by, and which images it is judged on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SHARED = Path(__file__).resolve().parents[3] / "shared"
CALIBRATION = 100


@dataclass(frozen=True)
class Case:
    """A graph of ../shared/models.

    Attributes:
        graph: its file without ``.pb``.
        mode: the right preprocessing; ``unit`` is x/255.
        offset: added to the labels, 1 where class 0 is the background.
        images: imagenet, cifar, coco, kws, textlines or faces; see real_data.py.
        categories: those of a detector where they are not COCO's own: its class -> COCO's category.
        measure: top1, ap, iou, lines or landmarks; see answers.py.
        size: height and width of the input; None: any, for images as they are.
        batch: images in one run; 1 where the graph fixes it.
        source: the input's tensor.
        outputs: the tensors that are judged.
        compared: the tensors whose SQNR counts: what goes into a detector's or a segmentation's last, discrete step;
            empty: the outputs.
    """

    graph: str
    mode: str
    offset: int = 0
    images: str = "imagenet"
    categories: tuple[tuple[int, int], ...] = ()
    measure: str = "top1"
    size: tuple[int, int] | None = (224, 224)
    batch: int = 10
    source: str = "input:0"
    outputs: tuple[str, ...] = ("MobilenetV1/Predictions/Reshape_1:0",)
    compared: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """The FP32 graph."""
        return SHARED / "models" / f"{self.graph}.pb"

    @property
    def folds(self) -> int:
        """2 where each half of the images calibrates for the other, 1 where half of them only judge, 0 where
        all but CALIBRATION judge: there are only 128 COCO images, and a segmentation takes its time.
        """
        if self.images not in ("coco", "faces"):
            return 0
        return 1 if self.measure == "iou" else 2


_BOXES = tuple(f"{name}:0" for name in ("detection_boxes", "detection_scores", "detection_classes", "num_detections"))
_DETECTOR = {"measure": "ap", "batch": 1, "source": "image_tensor:0", "outputs": _BOXES}
_BRANCHES = ("concat:0", "concat_1:0")  # boxes and scores, in both detectors

CASES = (
    Case("resnet50_v1_5_ktb_fp32", "vgg", source="input_tensor:0", outputs=("softmax_tensor:0",)),
    Case("mobilenet_v1_0.25_224_frozen", "tf", 1, batch=1),
    Case("mobilenet_v1_1.0_224_deq", "tf", 1),
    Case("aiy_squeezenet_160res_5x5_0.75", "tf", 1, size=(160, 160), batch=1, outputs=("Prediction:0",)),
    Case("efficientnet_lite0_224_fp32", "tf", source="images:0", outputs=("Softmax:0",)),
    Case(
        "resnet8_cifar10_mlperf_tiny",
        "none",
        images="cifar",
        size=(32, 32),
        batch=50,
        source="input_1:0",
        outputs=("dense/Softmax:0",),
    ),
    Case("kws_ref_model_frozen", "none", images="kws", size=(49, 10), source="input_1:0", outputs=("Identity:0",)),
    Case("vww_96_frozen", "unit", images="coco", size=(96, 96), source="input_1:0", outputs=("Identity:0",)),
    Case("ssd_mobilenet_v1_0.75_300_coco_deq", "none", images="coco", size=None, compared=_BRANCHES, **_DETECTOR),
    Case(
        "aiy_mobilenet_ssd_256res_0.125_person_cat_dog",
        "none",
        images="coco",
        categories=((1, 1), (2, 17), (3, 18)),
        size=(256, 256),
        compared=_BRANCHES,
        **_DETECTOR,
    ),
    Case(
        "deeplabv3_mnv2_dm05_pascal_deq",
        "tf",
        images="coco",
        measure="iou",
        size=(513, 513),
        batch=2,
        source="sub_7:0",
        outputs=("ArgMax:0",),
        compared=("logits/semantic/BiasAdd/BiasAdd:0",),
    ),
    Case(
        "ppocr_v4_rec",
        "tf",
        images="textlines",
        measure="lines",
        size=(48, 320),
        source="x:0",
        outputs=("p2o.Softmax.2:0",),
    ),
    Case(
        "human_facemesh",
        "unit",
        images="faces",
        measure="landmarks",
        size=(192, 192),
        source="input_1:0",
        outputs=("Identity_2:0", "Identity:0", "Identity_1:0"),
    ),
)


def named(names: list[str]) -> list[Case]:
    """The cases with one of ``names`` in their file's name; all without names."""
    return [case for case in CASES if not names or any(name in case.graph for name in names)]
