"""The command line: every option and its spellings.

argparse does the work; what it lacks is added here: a misspelt option is an error that names the
nearest one, and each error is a UsageError instead of an exit.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from typing import NoReturn

from launch_quantization import __version__
from launch_quantization.errors import UsageError
from launch_quantization.job import DEFAULT_TENSORFLOW, Job
from launch_quantization.preprocessing import CHANNEL_ORDERS, PREPROCESSING, numbers, resizing
from launch_quantization.progress import write_line
from launch_quantization.values import (
    ALGORITHMS,
    TARGET_CPUS,
    algorithm,
    boolean,
    cpu_count,
    duration,
    image_reference,
    memory_size,
    names,
    patience,
    positive_int,
    release,
    variant,
    whole_number,
)

SUB_COMMANDS = ("build", "doctor", "clean")

_DESCRIPTION = """\
Turns a frozen FP32 TensorFlow graph into an INT8 graph for Intel and AMD CPUs.
A frozen graph and a folder of images are enough:

  launch_quantization --in_graph resnet50.pb --data_location photos/
"""
_EPILOG = """\
sub-commands (each has its own --help):
  build    build the image, or with --runtime local the environment
  doctor   check this machine and say what is missing
  clean    remove what killed launchers left behind; images and environments on request

Each option may be spelt with hyphens or underscores.
Exit codes: 0 ok, 2 usage, 3 bad input, 4 engine unreachable, 5 engine too old, 6 build failed,
7 image missing, 8 quantization failed, 9 out of memory, 10 deadline, 11 output refused,
13 busy, 70 internal, 129/130/131/141/143 signals; --debug returns the shell's own.
"""


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises UsageError and guesses what a misspelt option meant."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError in place of printing usage and exiting."""
        raise UsageError(message, f"see {self.prog} --help")

    def _print_message(self, message: str, file: object = None) -> None:
        """Help and version, which a full disk or a reader that left must not turn into a defect."""
        write_line(sys.stdout, message.removesuffix("\n"))

    def parse(self, argv: list[str]) -> argparse.Namespace:
        """Parse all of argv.

        Raises:
            UsageError: an unknown option or word, a missing or a bad value.
        """
        namespace, unknown = self.parse_known_args(argv)
        if unknown:
            raise UsageError(*self._unknown(unknown[0]))
        return namespace

    def _unknown(self, word: str) -> tuple[str, str]:
        if not word.startswith("-"):
            return f"unexpected word {word!r}", self._nearest(word, SUB_COMMANDS)
        option = word.split("=", 1)[0]
        return f"unknown option {option}", self._nearest(option, tuple(self._option_string_actions))

    def _nearest(self, word: str, known: tuple[str, ...]) -> str:
        near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
        return f"did you mean {near[0]}?" if near else f"see {self.prog} --help"


def _spellings(name: str) -> list[str]:
    """``--a_b`` first, since that is the seed's spelling, then ``--a-b``."""
    return list(dict.fromkeys(("--" + name, "--" + name.replace("_", "-"))))


class _Extend(argparse.Action):
    """Collects names over repeated options into one tuple without duplicates."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        before = getattr(namespace, self.dest)
        setattr(namespace, self.dest, tuple(dict.fromkeys((*before, *_as_names(values)))))


def _as_names(values: object) -> tuple[str, ...]:
    return values if isinstance(values, tuple) else ()


def run_parser() -> Parser:
    """The parser of the plain call."""
    parser = _parser("launch_quantization", _DESCRIPTION, _EPILOG)
    _add_paths(parser)
    _add_quantization(parser)
    _add_preprocessing(parser)
    _add_where(parser, named_image=True)
    limits = parser.add_argument_group("limits")
    limits.add_argument("--cpus", type=cpu_count, metavar="N", help="CPUs the job may use (default: all)")
    limits.add_argument(
        "--memory", type=memory_size, metavar="SIZE", help="memory limit, e.g. 8g (default: 80%% of all)"
    )
    limits.add_argument("--timeout", type=duration, metavar="TIME", help="deadline, e.g. 90s, 15m, 2h (default: none)")
    limits.add_argument(
        *_spellings("stall_timeout"),
        type=patience,
        default=Job.stall_timeout,
        metavar="TIME",
        help="end a job that makes no progress for so long; 0: never (default: 60m)",
    )
    limits.add_argument(
        *_spellings("output_limit"),
        type=memory_size,
        metavar="SIZE",
        help="what the job may write into its output (default: 512m and 4 times the graph)",
    )
    output = _add_output(parser)
    output.add_argument(
        *_spellings("dry_run"), action="store_true", help="print what would be done, as JSON and as a docker run line"
    )
    parser.add_argument(
        "--version",
        action="version",
        version=f"launch_quantization {__version__}, TensorFlow {DEFAULT_TENSORFLOW} by default",
        help="print the version and the default TensorFlow variant",
    )
    parser.add_argument(
        "--debug", action="store_true", help="a bash shell in /workspace with everything mounted, instead of the job"
    )
    return parser


def build_parser() -> Parser:
    """The parser of ``launch_quantization build``."""
    parser = _parser(
        "launch_quantization build", "Builds the image, or the local environment; a no-op when nothing changed."
    )
    _add_where(parser)
    parser.add_argument(*_spellings("no_cache"), action="store_true", help="build every step anew")
    _add_output(parser)
    return parser


def doctor_parser() -> Parser:
    """The parser of ``launch_quantization doctor``."""
    parser = _parser(
        "launch_quantization doctor",
        "Checks this machine; each finding comes with its remedy. Exit code 0 when a job can run.",
    )
    _add_where(parser)
    parser.add_argument("--json", action="store_true", help="the findings as JSON on stdout")
    return parser


def clean_parser() -> Parser:
    """The parser of ``launch_quantization clean``."""
    parser = _parser(
        "launch_quantization clean", "Removes containers, staging directories and records of launchers that are gone."
    )
    parser.add_argument("--images", action="store_true", help="also remove images of ours but the current ones")
    parser.add_argument(
        "--environments", action="store_true", help="also remove the local environments but the current ones"
    )
    parser.add_argument("--all", action="store_true", help="also remove every image and environment of ours")
    parser.add_argument(*_spellings("dry_run"), action="store_true", help="only say what would be removed")
    return parser


def _parser(prog: str, description: str, epilog: str = "") -> Parser:
    return Parser(
        prog=prog,
        description=description,
        epilog=epilog,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _add_paths(parser: Parser) -> None:
    group = parser.add_argument_group("paths")
    group.add_argument(
        "-g",
        *_spellings("in_graph"),
        metavar="PATH",
        help="the FP32 graph: frozen (.pb), text (.pbtxt), a SavedModel folder or a Keras file (.keras, .h5)",
    )
    group.add_argument(
        "-o", *_spellings("out_graph"), metavar="FILE", help="the INT8 graph (default: NAME_int8.pb beside the input)"
    )
    group.add_argument(
        "-d",
        *_spellings("data_location"),
        metavar="PATH",
        help="what to calibrate on: a folder of images (class folders give labels), TFRecords, .npy or .npz",
    )
    group.add_argument(
        *_spellings("data_function"),
        metavar="FILE.py:NAME",
        help="a Python function that gives feed dicts to calibrate on; it may take the path of --data_location",
    )
    group.add_argument(
        "--labels", metavar="FILE", help="labels of the images or rows: lines 'NAME LABEL', CSV, or .npy"
    )
    group.add_argument(
        "--statistics", metavar="FILE", help="what an earlier run on this graph saw, instead of calibrating again"
    )
    group.add_argument("-z", *_spellings("models_zoo"), metavar="DIR", help="a checkout of the Intel Model Zoo")
    group.add_argument(
        "-n",
        *_spellings("model_name"),
        metavar="NAME",
        help="the model's name in the Model Zoo, whose own program calibrates",
    )
    group.add_argument(
        *_spellings("models_config"),
        metavar="FILE",
        help="what the names of models mean, in place of quantization/config/models.json",
    )
    group.add_argument(
        "-s",
        *_spellings("models_source_dir"),
        metavar="DIR",
        help="TensorFlow models sources, which a few zoo models want",
    )


def _add_quantization(parser: Parser) -> None:
    group = parser.add_argument_group("quantization")
    for name, text in (
        ("inputs", "input nodes, separated by commas (default: found in the graph)"),
        ("outputs", "output nodes (default: found in the graph)"),
        ("excluded_ops", "op types that stay in FP32"),
        ("excluded_nodes", "nodes that stay in FP32"),
        ("allow_op", "op types that may run although they touch files, processes or the network (default: none)"),
    ):
        group.add_argument(*_spellings(name), type=names, action=_Extend, default=(), metavar="A,B", help=text)
    group.add_argument(
        "--signature", metavar="NAME", help="signature of a SavedModel (default: serving_default, or the only one)"
    )
    group.add_argument(
        *_spellings("per_channel"),
        nargs="?",
        const=True,
        default=True,
        type=boolean,
        metavar="BOOL",
        help="one weight scale per output channel (default: true)",
    )
    group.add_argument(
        *_spellings("no_per_channel"),
        "--no-per_channel",
        dest="per_channel",
        action="store_false",
        help="one weight scale per tensor",
    )
    for name, text in (
        ("equalize", "cross-layer equalization before quantizing (default: true)"),
        ("bias_correction", "correct biases for the mean error of rounding (default: true)"),
        ("adaptive_rounding", "round weights for the least error of the layer's output (default: true)"),
    ):
        group.add_argument(
            *_spellings(name), nargs="?", const=True, default=True, type=boolean, metavar="BOOL", help=text
        )
    group.add_argument(
        "--callback",
        metavar="COMMAND",
        help="a command that calibrates: runs inference on the graph whose path replaces {} in it",
    )
    group.add_argument(
        "--samples", type=positive_int, metavar="N", help="images to calibrate on (default: 100, or half of them)"
    )
    group.add_argument("--seed", type=whole_number, metavar="N", help="which images are drawn (default: 0)")
    group.add_argument(*_spellings("batch_size"), type=positive_int, metavar="N", help="images per calibration batch")
    group.add_argument(
        "--evaluate",
        type=whole_number,
        metavar="N",
        help="images to compare FP32 and INT8 on; 0: none (default: chosen by the tool)",
    )
    group.add_argument(
        "--algo",
        *_spellings("calibration_algorithm"),
        type=algorithm,
        metavar="NAME",
        help=f"how ranges of activations are found: {', '.join(ALGORITHMS)} (default: AUTO)",
    )
    group.add_argument(
        *_spellings("target_tensorflow"),
        type=release,
        metavar="VERSION",
        help="oldest TensorFlow the INT8 graph must run in, e.g. 1.15 (default: the one that makes it)",
    )
    group.add_argument(
        *_spellings("target_cpu"),
        choices=TARGET_CPUS,
        help="any: right on every CPU; vnni: more accurate, wrong on CPUs without INT8 dot products (default: any)",
    )
    group.add_argument(
        "--intermediate", action="store_true", help="keep the graph of every stage, and what calibration saw"
    )


def _add_preprocessing(parser: Parser) -> None:
    group = parser.add_argument_group(
        "preprocessing of images", "How pixels, 0..255, become inputs; chosen by trying if nothing is said."
    )
    group.add_argument("--preprocess", choices=PREPROCESSING, help="a well-known way, see docs/how-to/preprocessing.md")
    for name, text in (
        ("scale", "in place of --preprocess: inputs are (pixels * scale - mean) / std"),
        ("mean", "one number, or one for each channel, such as 123.68,116.78,103.94"),
        ("std", "likewise; --mean 127.5 --std 127.5 is tf"),
    ):
        default = 0 if name == "mean" else 1
        group.add_argument(f"--{name}", type=numbers, metavar="X[,Y,Z]", help=f"{text} (default: {default})")
    group.add_argument(
        *_spellings("channel_order"),
        choices=CHANNEL_ORDERS,
        help="order of the channels that the graph takes (default: rgb, for caffe bgr)",
    )
    group.add_argument(
        "--resize",
        type=resizing,
        metavar="RULE",
        help="stretch, crop (shorter side to 8/7 of the input, then its centre), crop:PIXELS, central_crop (87.5%%), "
        "central_crop:SHARE, pad, or pad:VALUE (default: stretch)",
    )


def _add_where(parser: Parser, *, named_image: bool = False) -> None:
    group = parser.add_argument_group("where it runs")
    if named_image:  # what is built or examined is always the image of this checkout
        group.add_argument(
            "-i",
            *_spellings("docker_image"),
            type=image_reference,
            metavar="IMAGE",
            help="image to use (default: this checkout's, built when missing)",
        )
    group.add_argument(
        "--runtime",
        choices=("auto", "docker", "local"),
        default="auto",
        help="auto: docker when an engine answers, else local (default)",
    )
    group.add_argument(
        "--tensorflow",
        type=variant,
        default=DEFAULT_TENSORFLOW,
        metavar="VARIANT",
        help=f"TensorFlow variant: 1.15, 2.0, 2.1, 2.14 or stock (default: {DEFAULT_TENSORFLOW})",
    )
    group.add_argument(
        *_spellings("base_image"),
        type=image_reference,
        metavar="IMAGE",
        help="base image of a build (or QUANTIZATION_BASE_IMAGE)",
    )
    group.add_argument(
        *_spellings("ca_bundle"),
        metavar="FILE",
        help="CA certificates for a build (or PIP_CERT, REQUESTS_CA_BUNDLE, SSL_CERT_FILE)",
    )


def _add_output(parser: Parser) -> argparse._ArgumentGroup:
    group = parser.add_argument_group("what it prints")
    group.add_argument("--json", action="store_true", help="events on stdout, one JSON object a line")
    group.add_argument("--quiet", action="store_true", help="only errors")
    group.add_argument("--verbose", action="store_true", help="also the log of the job")
    return group
