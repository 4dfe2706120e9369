"""The public API: an FP32 graph in, an INT8 graph out.

The calls of intel-quantization 1.1 work as they did::

    import intel_quantization.graph_converter as converter

    c = converter.GraphConverter('in.pb', None, ['input'], ['predict'])
    c.gen_calib_data_cmds = 'python my_inference.py --in-graph {} --data-location /dataset'
    c.convert()
"""

from __future__ import annotations

import os
from typing import Callable, Optional, Sequence, Union

from tensorflow.core.framework import graph_pb2

from intel_quantization.calibration.by_command.command import command_words
from intel_quantization.calibration.ranges.collectors import collector
from intel_quantization.calibration.statistics import Statistics
from intel_quantization.calibration.statistics_file import load_statistics
from intel_quantization.contract.words import ALGORITHMS
from intel_quantization.contract.words import STAGES as JOB_STAGES
from intel_quantization.conversion import Conversion, OpCount
from intel_quantization.data.given import CalibrationData, as_feed
from intel_quantization.errors import BadInputError
from intel_quantization.graph_files import LOGGED, GraphFiles, check_paths, default_output
from intel_quantization.ops.capabilities import Capabilities
from intel_quantization.quantize.quantize_graph import Options
from intel_quantization.quantize.target_cpu import ANY, check_target_cpu
from intel_quantization.reading.load import Loaded, load_graph
from intel_quantization.stages.calibrate import calibrate_by, calibrate_on_feed, use_statistics
from intel_quantization.stages.optimize import Optimized, optimize_graph
from intel_quantization.stages.quantize import quantize_optimized, verify_result

__all__ = ["ALGORITHMS", "STAGES", "Conversion", "GraphConverter", "OpCount"]

STAGES = JOB_STAGES[:-1]
"""Of a conversion; a job also measures."""
NO_FILE = ""
"""The output graph that is not written."""


class GraphConverter:
    """Converts an FP32 graph into an INT8 graph for oneDNN.

    The positional arguments, their order and their defaults are those of intel-quantization 1.1.

    With oneDNN, TensorFlow before 2.16 takes a pool in NCHW and one of the same size in NHWC for one in a process
    (https://github.com/tensorflow/tensorflow/issues/61482). Here all are NHWC. If the graph has pools in NCHW, do not
    run it in the process that converts it or runs the INT8 graph: compare with ``Conversion.fp32_graph`` instead,
    which gives the same numbers.

    Args:
        input_graph: path of a frozen graph (``.pb``), a text graph (``.pbtxt``), a SavedModel folder or a Keras
            file (``.keras``, ``.h5``), or a GraphDef.
        output_graph: path of the INT8 graph, or, with a ``/`` at its end, of the folder of a SavedModel with the
            signatures of the one that was read; its directory must exist. None: ``int8_final_fused_graph.pb``
            beside the input, or where that cannot be, in ``$WORKSPACE/output`` or the current directory.
            Left out, or None beside a GraphDef: none is written, the result has it.
        inputs: names of the inputs; found in the graph when left out.
        outputs: names of the outputs; found in the graph when left out.
        excluded_ops: op names that stay FP32, e.g. ``["MatMul"]``.
        excluded_nodes: names of nodes that stay FP32.
        per_channel: one weight range for each output channel; more accurate, as fast. False: one for all of a layer's
            weights where calibration proves that to cost nothing, see docs/explanation/calibration.md.
        input_graph_is_binary: False for a text graph; most are recognised anyway.
        algo: how the range of an activation comes from what calibration saw, one of ALGORITHMS in upper or
            lower case: DIRECT (smallest and largest value), MA (their means over batches), KL (least loss of
            information), PERCENTILE (99.99 % of the values), MSE (least squared error), AUTO (for each tensor the one
            of them under which the layers that read it err least).
        calibration_data: what the inputs are fed while calibrating: an iterable of feed dicts
            (tensor or node name -> array), such as an ImageFeed; an array for the only input, its first
            dimension the samples; one feed dict; or a function that returns one of these.
        equalize: cross-layer equalization before quantizing: scale, and shift where nothing is padded, the channels
            of a tensor between INT8 ops to like ranges, so that they share one better.
        bias_correction: let the bias take back what rounding adds to each channel on average.
        signature: the signature of a SavedModel; empty: ``serving_default``, or the only one.
        samples: stop calibrating after so many samples; None: all of ``calibration_data``, or 100 of a command.
        on_stage: called with the name of each stage (``STAGES``) when it begins.
        on_progress: called with the number of batches after each batch of calibration; where a command
            calibrates, with the number of samples.
        on_output: called with each line that the command prints, from another thread.
        intermediate_dir: a directory for the graph after each pass; None keeps none.
        threads: threads within an op while calibrating, 0 for as many as there are cores.
        target_tensorflow: the oldest TensorFlow that the INT8 graph must run in, e.g. ``1.15``;
            None makes it for the running TensorFlow.
        target_cpu: ``any``: the INT8 graph is right on every x86-64 CPU; ``vnni``: somewhat more accurate, and
            silently wrong on CPUs without INT8 dot products (AVX512-VNNI, AVX-VNNI, AMX).
        allow_op: ops that may run although they touch files, processes or the network, such as ``["ReadFile"]``;
            for graphs that you trust. A graph whose outputs need any other such op is refused.
        adaptive_rounding: round weights up or down so that their errors cancel in the layer's output, as the
            calibration data's patches tell, instead of each to its nearest value.
        statistics: what an earlier conversion of this graph saw (``Conversion.statistics``), or the path of a file
            of them; then nothing is calibrated. A ``.json`` has no patches, and what those decide is left out.

    Attributes:
        gen_calib_data_cmds: a command (or its words) that runs inference on the graph whose path stands for
            ``{}`` in it; calibrates where there are no calibration_data. It gets the optimized FP32 graph, with
            recorders in it, and is ended when ``samples`` are in.
        debug: keep the graphs between input and result, beside the output, under their names in 1.1.

    Every other argument is an attribute of its name, too, and may be set until ``convert`` is called.

    Raises:
        BadInputError: there is no such input graph, output directory, algorithm or target. It is a ValueError,
            as every error of this package, since that is what 1.1 raised.
    """

    def __init__(
        self,
        input_graph: Union[str, os.PathLike[str], graph_pb2.GraphDef],
        output_graph: Union[str, os.PathLike[str], None] = NO_FILE,
        inputs: Optional[Sequence[str]] = (),
        outputs: Optional[Sequence[str]] = (),
        excluded_ops: Optional[Sequence[str]] = (),
        excluded_nodes: Optional[Sequence[str]] = (),
        per_channel: bool = False,
        input_graph_is_binary: bool = True,
        algo: str = "DIRECT",
        *,
        calibration_data: Optional[CalibrationData] = None,
        equalize: bool = True,
        bias_correction: bool = True,
        samples: Optional[int] = None,
        signature: str = "",
        on_stage: Optional[Callable[[str], None]] = None,
        on_progress: Optional[Callable[[int], None]] = None,
        on_output: Optional[Callable[[str], None]] = None,
        intermediate_dir: Optional[str] = None,
        threads: int = 0,
        target_tensorflow: Optional[str] = None,
        target_cpu: str = ANY,
        allow_op: Sequence[str] = (),
        adaptive_rounding: bool = True,
        statistics: Union[Statistics, str, os.PathLike[str], None] = None,
    ) -> None:
        collector(algo)  # it exists
        self.input_graph = input_graph if isinstance(input_graph, graph_pb2.GraphDef) else os.fspath(input_graph)
        in_path = self.input_graph if isinstance(self.input_graph, str) else None
        self.output_graph = os.fspath(output_graph) if output_graph else None
        check_paths(in_path, self.output_graph)
        if self.output_graph is None and output_graph != NO_FILE and in_path is not None:
            self.output_graph = default_output(in_path)
        self.input_graph_binary_flag = input_graph_is_binary
        self.inputs = tuple(inputs or ())
        self.outputs = tuple(outputs or ())
        self.excluded_ops = tuple(excluded_ops or ())
        self.excluded_nodes = tuple(excluded_nodes or ())
        self.per_channel = per_channel
        self.equalize = equalize
        self.adaptive_rounding = adaptive_rounding
        self.bias_correction = bias_correction
        self.algo = algo
        self.calibration_data = calibration_data
        self.statistics = (
            statistics if isinstance(statistics, Statistics) or statistics is None else os.fspath(statistics)
        )
        self.samples = samples
        self.signature = signature
        self.intermediate_dir = intermediate_dir
        self.threads = threads
        self.gen_calib_data_cmds: Union[str, Sequence[str], None] = None
        self.debug = False
        self.target_tensorflow = target_tensorflow
        self.target_cpu = check_target_cpu(target_cpu)
        self.allow_op = tuple(allow_op)
        Capabilities(target_tensorflow)  # it is known
        self._on_stage = on_stage or (lambda name: None)
        self._on_progress = on_progress or (lambda batches: None)
        self._on_output = on_output

    def convert(self) -> Conversion:
        """Read, optimize, calibrate, quantize, verify, and write.

        Raises:
            BadInputError: the graph, the names or the calibration data cannot be used.
            QuantizationError: the conversion failed, or nothing could become INT8.
        """
        return self._convert(optimize_first=True)

    covert = convert  # as the quick start of 1.1 spelt it

    def quantize(self) -> Conversion:
        """As :meth:`convert`, without optimizing the FP32 graph: for one that is optimized already.

        Raises:
            BadInputError: the graph, the names or the calibration data cannot be used.
            QuantizationError: the conversion failed, or nothing could become INT8.
        """
        return self._convert(optimize_first=False)

    def _convert(self, optimize_first: bool) -> Conversion:
        files = self._open_files()
        capabilities = Capabilities(self.target_tensorflow)
        options = Options(
            self.excluded_ops,
            self.excluded_nodes,
            self.per_channel,
            self.algo,
            self.equalize,
            self.bias_correction,
            self.target_cpu,
            self.adaptive_rounding,
        )
        self._on_stage("read")
        saved = self._load_saved()
        loaded = load_graph(
            self.input_graph, self.inputs, self.outputs, self.input_graph_binary_flag, self.signature, self.allow_op
        )
        if saved is None and self.calibration_data is None and not self.gen_calib_data_cmds:
            raise BadInputError("there are no calibration data", "give calibration_data or gen_calib_data_cmds")
        self._on_stage("optimize")
        optimized = optimize_graph(loaded, self.excluded_ops, self.excluded_nodes, capabilities, files, optimize_first)
        self._on_stage("calibrate")
        statistics = use_statistics(optimized, saved) if saved else self._calibrate(loaded, optimized, files)
        self._on_stage("quantize")
        quantized = quantize_optimized(optimized, statistics, options, capabilities, files)
        self._on_stage("verify")
        return verify_result(
            loaded, optimized, statistics, quantized, capabilities, files, self.output_graph, self.allow_op
        )

    def _load_saved(self) -> Optional[Statistics]:
        """What an earlier run saw; None where this one calibrates."""
        if self.statistics is None or isinstance(self.statistics, Statistics):
            return self.statistics
        return load_statistics(os.fspath(self.statistics))

    def _calibrate(self, loaded: Loaded, optimized: Optimized, files: GraphFiles) -> Statistics:
        options = {"excluded_ops": list(self.excluded_ops), "excluded_nodes": list(self.excluded_nodes)}
        if self.calibration_data is not None:
            feed = as_feed(self.calibration_data, loaded.inputs, self.samples)
            return calibrate_on_feed(optimized, feed, self._on_progress, self.threads, options)
        command = self.gen_calib_data_cmds or ()
        words = command_words(command) if isinstance(command, str) else tuple(command)
        path = files.debug_path(LOGGED)
        return calibrate_by(optimized, loaded, words, self.samples, self._on_progress, self._on_output, path, options)

    def _open_files(self) -> GraphFiles:
        directory = None
        if self.debug and self.output_graph is not None:
            directory = os.path.dirname(os.path.realpath(self.output_graph))
        return GraphFiles(directory, self.intermediate_dir)
