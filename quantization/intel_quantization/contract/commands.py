"""The command and its sub-commands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, Tuple, Type, TypeVar

from .command_options import (
    BuildOptions,
    CleanOptions,
    CompletionOptions,
    DoctorOptions,
    ImageOptions,
    ReplayOptions,
    VerifyOptions,
)
from .options import RunOptions
from .words import BENCHMARK, COMPARE, EVALUATE, TUNE

PROGRAM = "launch_quantization"


Options = TypeVar("Options")


@dataclass(frozen=True)
class Command(Generic[Options]):
    """One that a user can give.

    Attributes:
        name: empty: the plain call.
        table: the class of its options.
        summary: in a line, for the list of sub-commands.
        description: what its help says first.
    """

    name: str
    table: Type[Options]
    summary: str
    description: str

    @property
    def program(self) -> str:
        """How it is called."""
        return (PROGRAM + " " + self.name).rstrip()


RUN = Command(
    "",
    RunOptions,
    "quantize a graph",
    "Turns a frozen FP32 TensorFlow graph into an INT8 graph for Intel and AMD CPUs.\n"
    "A frozen graph and a folder of images are enough:\n\n"
    "  launch_quantization --in_graph resnet50.pb --data_location photos/",
)
BUILD = Command(
    "build",
    BuildOptions,
    "build the image, or with --runtime local the environment",
    "Builds the image, or the local environment; a no-op when nothing changed.",
)
IMAGE = Command(
    "image",
    ImageOptions,
    "save the image as an OCI archive",
    "Writes the image, built if it is not there, as an OCI archive, the same bytes for the same files:\n\n"
    "  launch_quantization image save quantization.tar",
)
DOCTOR = Command(
    "doctor",
    DoctorOptions,
    "check this machine and say what is missing",
    "Checks this machine; each finding comes with its remedy. Exit code 0 when a job can run.",
)
CLEAN = Command(
    "clean",
    CleanOptions,
    "remove what killed launchers left; images and environments on request",
    "Removes containers, staging directories and records of launchers that are gone.",
)
COMPLETION = Command(
    "completion",
    CompletionOptions,
    "print a script that completes options in a shell",
    "Prints a script that completes options in bash, zsh or fish. In bash:\n\n"
    '  eval "$(launch_quantization completion bash)"',
)

VERIFY = Command(
    "verify",
    VerifyOptions,
    "check the files of a run by its manifest",
    "Says which files beside a manifest, and which inputs, are not as they were. Exit code 14 where any is not:\n\n"
    "  launch_quantization verify net_int8.manifest.json",
)
REPLAY = Command(
    "replay",
    ReplayOptions,
    "do again what a manifest says, and compare",
    "Runs it again with the same options on the same inputs in the same environment, and says whether the results are "
    "the same bytes. Nothing beside the manifest is changed:\n\n"
    "  launch_quantization replay net_int8.manifest.json",
)

EVALUATE_COMMAND = Command(
    EVALUATE,
    RunOptions,
    "how good a graph is, or how much worse another one is",
    "Measures one graph, or two on the same samples, whoever made them:\n\n"
    "  launch_quantization evaluate net.pb net_int8.pb --data_location photos/ --labels labels.csv --max_drop 1",
)
BENCHMARK_COMMAND = Command(
    BENCHMARK,
    RunOptions,
    "how fast one graph is, or two in turns",
    "Latency at batch 1 and 16, time to load, memory and size, of one graph or of two in turns:\n\n"
    "  launch_quantization benchmark net.pb net_int8.pb",
)
COMPARE_COMMAND = Command(
    COMPARE,
    RunOptions,
    "what tells two graphs apart",
    "Ops, tensors of the same name, answers, and what is odd about an INT8 graph:\n\n"
    "  launch_quantization compare net.pb net_int8.pb --data_location photos/",
)
TUNE_COMMAND = Command(
    TUNE,
    RunOptions,
    "quantize, and put layers back to FP32 until little enough is lost",
    "The plain call with --tune:\n\n  launch_quantization tune net.pb --data_location photos/ --max_drop 1",
)
ON_GRAPHS: Tuple[Command[Any], ...] = (EVALUATE_COMMAND, BENCHMARK_COMMAND, COMPARE_COMMAND, TUNE_COMMAND)
"""Those that take graphs as words, and all options of the plain call."""

SUB_COMMANDS: Tuple[Command[Any], ...] = ON_GRAPHS + (BUILD, IMAGE, DOCTOR, VERIFY, REPLAY, CLEAN, COMPLETION)
COMMANDS: Tuple[Command[Any], ...] = (RUN,) + SUB_COMMANDS
