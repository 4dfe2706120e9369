"""The Job: the one object that crosses the wall between host and workspace.

On this side its paths are absolute host paths; ``mounts()`` pairs each with its place below
``/workspace``, and ``inside()`` is the same job as the other side sees it.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

SCHEMA = 1
"""Version of the JSON of ``Job.inside``; the inside refuses any other."""

WORKSPACE = "/workspace"
DEFAULT_TENSORFLOW = "2.14"
MEMORY_SHARE = 0.8
"""What a job may use of the machine's memory unless --memory says more."""
TMP_SHARE = 4
"""Its temporary files may take one such part of its memory."""


@dataclass(frozen=True)
class Mount:
    """A host path and where it appears inside.

    Attributes:
        source: absolute host path, links resolved; a file or a directory, which exists.
        target: absolute POSIX path below /workspace.
        read_only: whether the job may only read it.
    """

    source: Path
    target: str
    read_only: bool = True


@dataclass(frozen=True)
class Job:
    """What is to be quantized, and how. Make one with ``launch_quantization.validation.checked_job``.

    Attributes:
        in_graph: the FP32 graph, a regular file, or the folder of a SavedModel; None only with ``debug``.
        out_graph: where the INT8 graph goes, ends in ``.pb``; None only with ``debug``.
        data_location: the data to calibrate on, a folder or a file; None only with ``debug``, ``callback`` or
            ``data_function``.
        data_function: a Python file with a function that gives feed dicts, or None.
        data_function_name: the function's name, or None.
        labels: a file with the labels of the data, or None.
        statistics: what an earlier run saw, a file that stands for calibration, or None.
        models_zoo: a checkout of the Model Zoo, or None.
        models_source_dir: sources of TensorFlow models, or None.
        model_name: the name of the model in the zoo, or None.
        models_config: a file that says what the names of models mean, instead of config/models.json, or None.
        inputs: names of input nodes or tensors; empty: found in the graph.
        outputs: names of output nodes or tensors; empty: found in the graph.
        signature: the signature of a SavedModel; None: chosen inside.
        excluded_ops: op types that stay in FP32.
        excluded_nodes: nodes that stay in FP32.
        allow_op: op types that may run although they touch files, processes or the network.
        per_channel: one scale per output channel of a weight instead of one per weight.
        equalize: cross-layer equalization before quantizing.
        bias_correction: let the bias take back what rounding adds on average.
        adaptive_rounding: round weights for the least error of the layer's output.
        callback: a command of the user that runs inference on the graph to calibrate it, or None.
        samples: how many samples to calibrate on; None: chosen inside.
        batch_size: images per calibration batch; None: chosen inside.
        preprocess: name of a preprocessing; None: chosen inside, unless one of the next three is given.
        scale, mean, std: numbers in place of a name, ``(pixels * scale - mean) / std``; one, or one for each channel.
        channel_order: rgb or bgr; None: as the preprocessing has it.
        resize: how a picture comes to the size of the input, as ``intel_quantization.resizing`` reads it; None:
            stretched.
        evaluate: how many images to compare FP32 and INT8 on; None: chosen inside.
        seed: which samples are drawn; None: chosen inside.
        algo: the calibration algorithm, one of ``launch_quantization.values.ALGORITHMS``; None: chosen inside.
        target_tensorflow: the oldest TensorFlow the INT8 graph must run in; None: the one that runs the job.
        target_cpu: one of ``launch_quantization.values.TARGET_CPUS``, the CPUs that the INT8 graph is for; None: any.
        intermediate: keep the graph of every stage.
        debug: an interactive shell instead of the job.
        cpus: how many CPUs the job may use; None: all.
        memory: memory limit in bytes; None: chosen by the runtime.
        timeout: deadline in seconds; None: none.
        stall_timeout: seconds from one sign of progress to the next; 0: any number.
        output_limit: bytes that may be written into the output; None: chosen by the size of the graph.
        tensorflow: the TensorFlow variant, names ``image/requirements/tensorflow-<variant>.txt``.
    """

    in_graph: Path | None
    out_graph: Path | None
    data_location: Path | None
    data_function: Path | None = None
    data_function_name: str | None = None
    labels: Path | None = None
    statistics: Path | None = None
    models_zoo: Path | None = None
    models_source_dir: Path | None = None
    model_name: str | None = None
    models_config: Path | None = None
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    signature: str | None = None
    excluded_ops: tuple[str, ...] = ()
    excluded_nodes: tuple[str, ...] = ()
    allow_op: tuple[str, ...] = ()
    per_channel: bool = True
    equalize: bool = True
    bias_correction: bool = True
    adaptive_rounding: bool = True
    callback: str | None = None
    samples: int | None = None
    batch_size: int | None = None
    preprocess: str | None = None
    scale: tuple[float, ...] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    channel_order: str | None = None
    resize: str | None = None
    evaluate: int | None = None
    seed: int | None = None
    algo: str | None = None
    target_tensorflow: str | None = None
    target_cpu: str | None = None
    intermediate: bool = False
    debug: bool = False
    cpus: float | None = None
    memory: int | None = None
    timeout: float | None = None
    stall_timeout: float = 3600.0
    output_limit: int | None = None
    tensorflow: str = DEFAULT_TENSORFLOW

    @property
    def stem(self) -> str:
        """Name of the output without ``.pb``; every file of the run begins with it."""
        return self.out_graph.stem if self.out_graph is not None else "graph_int8"

    @property
    def output_dir(self) -> Path:
        """The directory the user's results go to.

        With ``debug`` this very directory is /workspace/output, writable: beside ``out_graph``,
        else beside ``in_graph``, else the current directory.
        """
        for path in (self.out_graph, self.in_graph):
            if path is not None:
                return path.parent
        return Path.cwd()

    @property
    def threads(self) -> int | None:
        """Threads for TensorFlow: whole CPUs of ``cpus``, at least 1; None: as many as there are."""
        return None if self.cpus is None else max(1, math.floor(self.cpus))

    def mounts(self) -> tuple[Mount, ...]:
        """Everything the job reads, each with its place below /workspace; all read-only.

        /workspace/output is not among them: the runtime adds it, as ``staging / "output"`` for a
        job and as ``output_dir`` for a shell.
        """
        pairs = (
            (self.in_graph, self._in_graph_inside()),
            (self.data_location, self._dataset_inside()),
            (self.data_function, self._data_function_inside()),
            (self.labels, self._labels_inside()),
            (self.statistics, self._statistics_inside()),
            (self.models_zoo, "models_zoo"),
            (self.models_source_dir, "models_source_dir"),
            (self.models_config, self._models_config_inside()),
        )
        return tuple(
            Mount(source, f"{WORKSPACE}/{target}")
            for source, target in pairs
            if source is not None and target is not None
        )

    def inside(self) -> dict[str, object]:
        """The job as the inside reads it: JSON-ready, paths POSIX and relative to $WORKSPACE."""
        return {
            "schema": SCHEMA,
            "in_graph": self._in_graph_inside(),
            "out_graph": None if self.out_graph is None else f"output/{self.out_graph.name}",
            "data_location": self._dataset_inside(),
            "data_function": None
            if self.data_function is None
            else f"{self._data_function_inside()}:{self.data_function_name}",
            "labels": self._labels_inside(),
            "statistics": self._statistics_inside(),
            "models_zoo": _present(self.models_zoo, "models_zoo"),
            "models_source_dir": _present(self.models_source_dir, "models_source_dir"),
            "model_name": self.model_name,
            "models_config": self._models_config_inside(),
            "inputs": list(self.inputs),
            "outputs": list(self.outputs),
            "signature": self.signature,
            "per_channel": self.per_channel,
            "equalize": self.equalize,
            "bias_correction": self.bias_correction,
            "adaptive_rounding": self.adaptive_rounding,
            "excluded_ops": list(self.excluded_ops),
            "excluded_nodes": list(self.excluded_nodes),
            "allow_op": list(self.allow_op),
            "callback": self.callback,
            "samples": self.samples,
            "batch_size": self.batch_size,
            "preprocess": self.preprocess,
            "scale": _listed(self.scale),
            "mean": _listed(self.mean),
            "std": _listed(self.std),
            "channel_order": self.channel_order,
            "resize": self.resize,
            "evaluate": self.evaluate,
            "seed": self.seed,
            "algo": self.algo,
            "target_tensorflow": self.target_tensorflow,
            "target_cpu": self.target_cpu,
            "intermediate": self.intermediate,
            "threads": self.threads,
        }

    def command(self) -> list[str]:
        """The argv that runs this job inside; pure ASCII, since JSON escapes the rest."""
        text = json.dumps(self.inside(), separators=(",", ":"))
        return ["python3", "-m", "intel_quantization", "--job", text]

    def variables(self, home: str, workspace: str) -> dict[str, str]:
        """Environment variables that a job gets wherever it runs.

        A uid without a passwd entry has neither a home nor a name of its own, and Python packages ask for both.

        Args:
            home: a directory it may write to.
            workspace: what is /workspace in a container.
        """
        found = {
            "HOME": home,
            "USER": "quantization",
            "LOGNAME": "quantization",
            "MPLCONFIGDIR": home,
            "WORKSPACE": workspace,
            "TF_ENABLE_ONEDNN_OPTS": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
        }
        if self.threads is not None:
            found["OMP_NUM_THREADS"] = str(self.threads)
        return found

    def _in_graph_inside(self) -> str | None:
        return None if self.in_graph is None else f"pretrained_model/{self.in_graph.name}"

    def _dataset_inside(self) -> str | None:
        """A file keeps its name, which tells what kind of data it holds."""
        if self.data_location is None:
            return None
        return f"dataset/{self.data_location.name}" if self.data_location.is_file() else "dataset"

    def _data_function_inside(self) -> str | None:
        return None if self.data_function is None else f"data_function/{self.data_function.name}"

    def _statistics_inside(self) -> str | None:
        return None if self.statistics is None else f"statistics/{self.statistics.name}"

    def _labels_inside(self) -> str | None:
        return None if self.labels is None else f"labels/{self.labels.name}"

    def _models_config_inside(self) -> str | None:
        return None if self.models_config is None else f"models_config/{self.models_config.name}"


def _listed(numbers: tuple[float, ...] | None) -> list[float] | None:
    return None if numbers is None else list(numbers)


def _present(path: Path | None, inside: str) -> str | None:
    return None if path is None else inside
