"""Quantize a model of the Intel Model Zoo, calibrated by the zoo's own launch_benchmark.py.

    python quantize_model_zoo.py --model resnet50 --in_graph resnet50.pb --out_graph resnet50_int8.pb \
        --models_zoo_location models --data_location imagenet

The flags are those of intel-quantization 1.1. What it knows of the models is in config/models.json.
"""

from __future__ import annotations

import argparse
import sys
from typing import Optional, Sequence

from intel_quantization.errors import QuantizationError
from intel_quantization.tools.flags import boolean


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Convert as the flags say; returns the exit status."""
    args = _parser().parse_args(argv)
    try:
        return _convert(args)
    except QuantizationError as error:
        print("quantize_model_zoo.py: %s" % error.message, file=sys.stderr)
        print("  " + error.remedy, file=sys.stderr)
        return error.exit_code


def _convert(args: argparse.Namespace) -> int:
    import intel_quantization.graph_converter as converter  # only now: this imports TensorFlow
    from intel_quantization.calibration.by_command.command import display
    from intel_quantization.zoo.bridge import find_entry, prepared

    entry = find_entry(args.model, args.models_zoo_location, args.models_config)
    with prepared(
        entry, args.models_zoo_location, args.data_location, args.models_source_dir, batch_size=args.batch_size
    ) as model:
        print("Inference Calibration Command: %s" % display(model.command))
        qt = converter.GraphConverter(
            args.in_graph,
            args.out_graph,
            entry.inputs,
            entry.outputs,
            entry.excluded_ops,
            entry.excluded_nodes,
            entry.per_channel,
            algo=args.algo,
            samples=args.samples,
            on_output=print,
        )
        qt.debug = args.debug
        qt.gen_calib_data_cmds = model.words
        result = qt.convert()
    for row in result.op_table:
        print("%-24s %4d of %d in INT8" % (row.op, row.int8, row.total))
    print("Converted graph file is saved to: %s" % result.output_graph)
    return 0


def _text(value: str) -> Optional[str]:
    """The scripts of 1.1 wrote None for what is not there."""
    return None if value in ("", "None") else value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Quantize a model of the Intel Model Zoo.")
    parser.add_argument("--model", required=True, help="the model's name in the file of models")
    parser.add_argument("--in_graph", required=True, help="the FP32 graph")
    parser.add_argument(
        "--out_graph", type=_text, help="the INT8 graph (default: int8_final_fused_graph.pb beside the input)"
    )
    parser.add_argument("--data_location", type=_text, help="the data, as the zoo's program reads them")
    parser.add_argument("--models_zoo_location", required=True, help="a checkout of the Model Zoo")
    parser.add_argument(
        "--models_source_dir", type=_text, help="sources of TensorFlow models, for the few models that want them"
    )
    parser.add_argument("--models_config", type=_text, help="a file of models in place of config/models.json")
    parser.add_argument(
        "--debug", type=boolean, nargs="?", const=True, default=False, help="keep the graphs between input and result"
    )
    parser.add_argument("--samples", type=int, help="end the zoo's program after so many samples (default: 100)")
    parser.add_argument("--batch_size", type=int, help="in place of the one in the file of models")
    parser.add_argument("--algo", default="DIRECT", help="AUTO, DIRECT, MA, KL, PERCENTILE or MSE")
    return parser


if __name__ == "__main__":
    sys.exit(main())
