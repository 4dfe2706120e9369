"""The table of options. A line, or a block, is one option: its type, what it does, its group, and what else there is.

A class is what a job takes, or what several commands share (what other commands take alone is in ``command_options``);
which class an option stands in says where it goes. Those of ``JobOptions`` cross the wall into the job; the others stay
in the launcher. What nobody calls, such as a comparison of options, is not made: dataclasses compile it, which --help
would wait for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Optional, Tuple, TypeVar

from . import groups, values
from .option import EVERYDAY, Place, option
from .words import ALGORITHMS, DATA_FORMATS, DEFAULT_MODEL, DEFAULT_TENSORFLOW, QUANTIZE

P = TypeVar("P")
"""What a path is: text as it was given or as the job has it, or on the host, checked, a Path."""

Names = Tuple[str, ...]
Numbers = Tuple[float, ...]


@dataclass(frozen=True, init=False, repr=False, eq=False)
class JobOptions(Generic[P]):
    """What is to be quantized, and how: all that the job is told. A path that has a ``place`` is mounted there."""

    in_graph: Optional[P] = option(
        values.PATH,
        "the FP32 graph: frozen (.pb, .pbtxt), a SavedModel or a Keras file",
        groups.MAIN,
        short="-g",
        level=EVERYDAY,
        place=Place("pretrained_model", named=True),
    )
    out_graph: Optional[P] = option(
        values.FILE,
        "the INT8 graph, FILE.pb, or a SavedModel, DIR/ (default: NAME_int8.pb)",
        groups.MAIN,
        short="-o",
        level=EVERYDAY,
    )
    data_location: Optional[P] = option(
        values.PATH,
        f"what to calibrate on: {', '.join(DATA_FORMATS.values())}",
        groups.MAIN,
        short="-d",
        level=EVERYDAY,
        place=Place("dataset"),
    )
    labels: Optional[P] = option(
        values.FILE,
        "labels of the images or rows: lines 'NAME LABEL', CSV, .npy, COCO's JSON, or a folder of maps of pixels",
        groups.DATA,
        level=EVERYDAY,
        place=Place("labels"),
    )
    data_function: Optional[P] = option(
        values.FUNCTION,
        "a Python function that gives feed dicts to calibrate on; it may take the path of --data_location",
        groups.DATA,
        place=Place("data_function", named=True),
    )
    statistics: Optional[P] = option(
        values.FILE,
        "what an earlier run on this graph saw, instead of calibrating again",
        groups.DATA,
        place=Place("statistics"),
    )
    samples: Optional[int] = option(
        values.COUNT, "images to calibrate on (default: 100, or half of them)", groups.DATA, level=EVERYDAY
    )
    batch_size: Optional[int] = option(values.COUNT, "images per calibration batch", groups.DATA)
    seed: Optional[int] = option(values.WHOLE, "which images are drawn (default: 0)", groups.DATA)
    preprocess: Optional[str] = option(
        values.PREPROCESSING,
        "tf, caffe, torch, vgg, unit or none: what they do is told in docs/how-to/preprocessing.md",
        groups.PIXELS,
        level=EVERYDAY,
    )
    scale: Optional[Numbers] = option(
        values.FACTORS, "in place of --preprocess: inputs are (pixels * scale - mean) / std (default: 1)", groups.PIXELS
    )
    mean: Optional[Numbers] = option(
        values.NUMBERS, "one number, or one for each channel, such as 123.68,116.78,103.94 (default: 0)", groups.PIXELS
    )
    std: Optional[Numbers] = option(
        values.FACTORS, "likewise; --mean 127.5 --std 127.5 is tf (default: 1)", groups.PIXELS
    )
    channel_order: Optional[str] = option(
        values.CHANNEL_ORDER,
        "order of the channels that the graph takes: rgb or bgr (default: rgb, for caffe bgr)",
        groups.PIXELS,
    )
    resize: Optional[str] = option(
        values.RESIZING,
        "stretch, crop (shorter side to 8/7 of the input, then its centre), crop:PIXELS, central_crop (87.5%), "
        "central_crop:SHARE, pad, or pad:VALUE (default: stretch)",
        groups.PIXELS,
    )
    callback: Optional[str] = option(
        values.COMMAND,
        "a command that runs inference on the graph whose path replaces {} in it",
        groups.PROGRAM,
        level=EVERYDAY,
    )
    models_zoo: Optional[P] = option(
        values.DIRECTORY,
        "a checkout of the Intel Model Zoo, whose own program calibrates",
        groups.PROGRAM,
        short="-z",
        level=EVERYDAY,
        place=Place("models_zoo"),
    )
    model_name: Optional[str] = option(
        values.TEXT, f"the model's name in the Model Zoo (default: {DEFAULT_MODEL})", groups.PROGRAM, short="-n"
    )
    models_config: Optional[P] = option(
        values.FILE,
        "what the names of models mean, in place of quantization/config/models.json",
        groups.PROGRAM,
        place=Place("models_config", named=True),
    )
    models_source_dir: Optional[P] = option(
        values.DIRECTORY,
        "TensorFlow models sources, which a few zoo models want",
        groups.PROGRAM,
        short="-s",
        place=Place("models_source_dir"),
    )
    inputs: Names = option(
        values.NAMES, "input nodes, separated by commas (default: found in the graph)", groups.GRAPH, default=()
    )
    outputs: Names = option(values.NAMES, "output nodes (default: found in the graph)", groups.GRAPH, default=())
    signature: Optional[str] = option(
        values.TEXT, "signature of a SavedModel (default: serving_default, or the only one)", groups.GRAPH
    )
    allow_op: Names = option(
        values.NAMES,
        "op types that may run although they touch files, processes or the network (default: none)",
        groups.GRAPH,
        default=(),
    )
    excluded_ops: Names = option(values.NAMES, "op types that stay in FP32", groups.ACCURACY, default=())
    excluded_nodes: Names = option(values.NAMES, "nodes that stay in FP32", groups.ACCURACY, default=(), level=EVERYDAY)
    algo: Optional[str] = option(
        values.ALGORITHM,
        f"how ranges of activations are found: {', '.join(ALGORITHMS)} (default: {ALGORITHMS[0]})",
        groups.ACCURACY,
        also=("calibration_algorithm",),
        level=EVERYDAY,
    )
    per_channel: bool = option(
        values.SWITCH,
        "one weight scale per output channel; false: one per tensor (default: true)",
        groups.ACCURACY,
        default=True,
    )
    equalize: bool = option(
        values.SWITCH, "cross-layer equalization before quantizing (default: true)", groups.ACCURACY, default=True
    )
    bias_correction: bool = option(
        values.SWITCH, "correct biases for the mean error of rounding (default: true)", groups.ACCURACY, default=True
    )
    adaptive_rounding: bool = option(
        values.SWITCH,
        "round weights for the least error of the layer's output (default: true)",
        groups.ACCURACY,
        default=True,
    )
    evaluate: Optional[int] = option(
        values.WHOLE, "images to compare FP32 and INT8 on; 0: none (default: chosen by the tool)", groups.COMPARISON
    )
    max_drop: Optional[float] = option(
        values.POINTS, "what INT8 may lose; exit code 12 where more is lost", groups.ACCURACY, level=EVERYDAY
    )
    tune: bool = option(
        values.FLAG,
        "put layers back to FP32 until no more than --max_drop (default: 1) is lost, in at most 12 evaluations",
        groups.ACCURACY,
        default=False,
    )
    metric: Optional[P] = option(
        values.FUNCTION,
        "a Python function of outputs and labels to judge by; 1 is all right (default: as the labels are)",
        groups.COMPARISON,
        place=Place("metric", named=True),
    )
    measure: bool = option(
        values.SWITCH,
        "run both graphs: accuracy, latency and blame; false: only convert (default: true)",
        groups.COMPARISON,
        default=True,
    )
    blame: bool = option(
        values.SWITCH,
        "measure which layers lose, why, and what they gain in time (default: true)",
        groups.COMPARISON,
        default=True,
    )
    thumbnails: bool = option(
        values.SWITCH,
        "small pictures of the samples that differ most, in the report (default: true)",
        groups.COMPARISON,
        default=True,
    )
    task: str = option(
        values.TASK,
        "quantize, or what the sub-commands of that name do: evaluate, benchmark, compare (default: quantize)",
        groups.COMPARISON,
        default=QUANTIZE,
    )
    other_graph: Optional[P] = option(
        values.PATH,
        "the second graph to evaluate, benchmark or compare",
        groups.COMPARISON,
        place=Place("other_graph", named=True),
    )
    recipe: bool = option(
        values.FLAG,
        "with benchmark: how to serve the graph on this machine (threads, instances, allocator), as lines to paste",
        groups.COMPARISON,
        default=False,
    )
    target_tensorflow: Optional[str] = option(
        values.VERSION,
        "oldest TensorFlow it must run in, e.g. 1.15 (default: that of the run)",
        groups.TARGET,
        level=EVERYDAY,
    )
    target_cpu: Optional[str] = option(
        values.TARGET_CPU,
        "any (right on every CPU) or vnni (more accurate, wrong on CPUs without INT8 dot products; default: any)",
        groups.TARGET,
    )
    format: Optional[str] = option(
        values.FORM, "pb (a frozen graph) or saved_model (default: as --out_graph says, else pb)", groups.MAIN
    )
    data: Optional[str] = option(
        values.DATA,
        "none: calibrate on made-up data, for a first look; --data_location, if given, only compares",
        groups.DATA,
    )
    intermediate: bool = option(
        values.FLAG, "keep the graph of every stage, and what calibration saw", groups.VIEW, default=False
    )


@dataclass(frozen=True, init=False, repr=False, eq=False)
class PlaceOptions:
    """Where a job runs, and what that is built from."""

    runtime: str = option(
        values.RUNTIME,
        "docker, local (in bubblewrap if it is there), bwrap (only in it) or auto (docker if it answers, else local; "
        "default)",
        groups.PLACE,
        default="auto",
        level=EVERYDAY,
    )
    tensorflow: str = option(
        values.VARIANT,
        f"TensorFlow variant: 1.15, 2.0, 2.1, 2.14 or stock (default: {DEFAULT_TENSORFLOW})",
        groups.PLACE,
        default=DEFAULT_TENSORFLOW,
    )
    base_image: Optional[str] = option(values.IMAGE, "base image of a build (or QUANTIZATION_BASE_IMAGE)", groups.PLACE)
    ca_bundle: Optional[str] = option(
        values.FILE, "CA certificates for a build (or PIP_CERT, REQUESTS_CA_BUNDLE, SSL_CERT_FILE)", groups.PLACE
    )


@dataclass(frozen=True, init=False, repr=False, eq=False)
class ViewOptions:
    """What is printed."""

    json: bool = option(
        values.FLAG, "events on stdout, one JSON object a line", groups.VIEW, default=False, level=EVERYDAY
    )
    quiet: bool = option(values.FLAG, "only errors", groups.VIEW, default=False)
    verbose: bool = option(values.FLAG, "also the log of the job", groups.VIEW, default=False, level=EVERYDAY)


@dataclass(frozen=True, repr=False, eq=False)
class RunOptions(ViewOptions, PlaceOptions, JobOptions[P]):
    """The plain call. Bases that stand further right have their options first."""

    docker_image: Optional[str] = option(
        values.IMAGE, "image to use (default: this checkout's, built when missing)", groups.PLACE, short="-i"
    )
    resume: bool = option(
        values.SWITCH,
        "do not calibrate again where an earlier run, also one that was interrupted, fed the same to the same graph "
        "(default: true)",
        groups.DATA,
        default=True,
    )
    cpus: Optional[float] = option(
        values.CPU_COUNT, "CPUs the job may use (default: all)", groups.LIMITS, level=EVERYDAY
    )
    memory: Optional[int] = option(
        values.SIZE, "memory limit, e.g. 8g (default: 80% of all)", groups.LIMITS, level=EVERYDAY
    )
    timeout: Optional[float] = option(
        values.DURATION, "deadline, e.g. 90s, 15m, 2h (default: none)", groups.LIMITS, level=EVERYDAY
    )
    stall_timeout: float = option(
        values.PATIENCE,
        "end a job that makes no progress for so long; 0: never (default: 60m)",
        groups.LIMITS,
        default=3600.0,
    )
    output_limit: Optional[int] = option(
        values.SIZE, "what the job may write into its output (default: 512m and 4 times the graph)", groups.LIMITS
    )
    dry_run: bool = option(
        values.FLAG,
        "print what would be done, as JSON and as a docker run line",
        groups.VIEW,
        default=False,
        level=EVERYDAY,
    )
    debug: bool = option(
        values.FLAG,
        "a bash shell in /workspace with everything mounted, instead of the job",
        groups.VIEW,
        default=False,
    )


@dataclass(frozen=True, repr=False, eq=False)
class InsideOptions:
    """``python3 -m intel_quantization``, which the launcher calls."""

    job: Optional[str] = option(values.TEXT._replace(metavar="JSON"), "the job, or @FILE", groups.MAIN)
