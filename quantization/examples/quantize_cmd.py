"""Quantize a graph of your own, calibrated by an inference command of your own.

    python quantize_cmd.py --input_graph resnet50.pb --output_graph resnet50_int8.pb \
        --callback 'python infer.py --input_graph={} --data_location=/dataset' --inputs input --outputs predict

The flags are those of intel-quantization 1.1. The command runs inference on the graph whose path stands for
``{}``; it is ended when enough samples are in. An ``--input_graph=FILE`` in it is replaced, and one that is not
there is added.
"""

from __future__ import annotations

import argparse
import sys
from typing import Optional, Sequence

from intel_quantization.errors import QuantizationError
from intel_quantization.tools.flags import boolean, names


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Convert as the flags say; returns the exit status."""
    args = _parser().parse_args(argv)
    import intel_quantization.graph_converter as converter  # only now: this imports TensorFlow

    try:
        qt = converter.GraphConverter(
            args.input_graph,
            args.output_graph,
            args.inputs,
            args.outputs,
            args.excluded_ops,
            args.excluded_nodes,
            args.per_channel,
            algo=args.algo,
            samples=args.samples,
            on_output=print,
        )
        qt.debug = args.debug
        qt.gen_calib_data_cmds = args.callback
        result = qt.convert()
    except QuantizationError as error:
        print("quantize_cmd.py: %s" % error.message, file=sys.stderr)
        print("  " + error.remedy, file=sys.stderr)
        return error.exit_code
    for row in result.op_table:
        print("%-24s %4d of %d in INT8" % (row.op, row.int8, row.total))
    print("Converted graph file is saved to: %s" % result.output_graph)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Quantize a graph, calibrated by an inference command.")
    parser.add_argument("--callback", required=True, help="the inference command, {} for the path of the graph")
    parser.add_argument("--inputs", type=names, default=(), help="names of the inputs (default: found in the graph)")
    parser.add_argument("--outputs", type=names, default=(), help="names of the outputs (default: found in the graph)")
    parser.add_argument("--input_graph", required=True, help="the FP32 graph")
    parser.add_argument("--output_graph", help="the INT8 graph (default: int8_final_fused_graph.pb beside the input)")
    parser.add_argument(
        "--per_channel", type=boolean, nargs="?", const=True, default=False, help="one weight range for each channel"
    )
    parser.add_argument("--excluded_ops", type=names, default=(), help="ops that stay FP32")
    parser.add_argument("--excluded_nodes", type=names, default=(), help="nodes that stay FP32")
    parser.add_argument(
        "--debug", type=boolean, nargs="?", const=True, default=False, help="keep the graphs between input and result"
    )
    parser.add_argument("--samples", type=int, help="end the command after so many samples (default: 100)")
    parser.add_argument("--algo", default="DIRECT", help="AUTO, DIRECT, MA, KL, PERCENTILE or MSE")
    return parser


if __name__ == "__main__":
    sys.exit(main())
