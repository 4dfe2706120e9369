"""A small Model Zoo of our own, with the command line of the real one, and its bad habits.

Two generations: ``v1.5`` installs packages whatever one says and patches the sources of models; ``v3`` has more
options, and makes the arguments for the model upper-case variables. Both write logs, take paths apart at spaces,
and go on after errors.
"""

from __future__ import annotations

import json
from pathlib import Path

GENERATIONS = ("v1.5", "v3")

_PATHS = ("-r --model-source-dir", "-d --data-location", "-g --in-graph")
_VALUES = (
    "-f --framework",
    "-m --model-name",
    "-b --batch-size",
    "-i --socket-id",
    "-n --num-cores",
    "-a --num-intra-threads",
    "-e --num-inter-threads",
    "-ts --num-train-steps",
    "--data-num-intra-threads",
    "--data-num-inter-threads",
    "-c --checkpoint",
    "--tcmalloc-large-alloc-report-threshold",
    "--output-dir",
    "--docker-image",
    "--volume",
    "--shm-size",
)
_SWITCHES = ("-k --benchmark-only", "--accuracy-only", "--output-results", "-v --verbose", "--debug")
# What the tags v1.5.0, v1.6.1 and v3.1.1 have besides, as their parsers say.
OPTIONS = {
    "v1.5.0": {"values": ("-np --num-processes", "-ppn --num-processes-per-node"), "switches": ()},
    "v1.6.1": {"values": ("--num-instances", "-bb --backbone-model"), "switches": ("--noinstall",)},
    "v3.1.1": {
        "values": (
            "--numa-cores-per-instance",
            "--num-instances",
            "-bb --backbone-model",
            "--optimized-softmax",
            "--experimental-gelu",
            "--tf-serving-version",
            "--onednn-graph",
        ),
        "switches": ("--weight-sharing", "--synthetic-data", "--gpu", "--noinstall", "--dry-run"),
    },
}
"""Tag -> the options that only some tags have."""

PARSER = """\
import argparse
import os

OPTIONS = %(options)s
PATHS = %(paths)r


def path(text):
    if not os.path.exists(text):
        raise argparse.ArgumentTypeError(text + " does not exist")
    if os.path.islink(text) or (os.path.isfile(text) and os.stat(text).st_nlink > 1):
        raise argparse.ArgumentTypeError(text + " cannot be a link")
    return text


def make_parser():
    parser = argparse.ArgumentParser()
    for names in PATHS:
        parser.add_argument(*names.split(), type=path)
    for names in OPTIONS["values"]:
        parser.add_argument(*names.split())
    for names in OPTIONS["switches"]:
        parser.add_argument(*names.split(), action="store_true")
    parser.add_argument("-p", "--precision", required=True, choices=["fp32", "int8", "bfloat16"])
    parser.add_argument("-mo", "--mode", required=True, choices=["training", "inference"])
    parser.add_argument("--disable-tcmalloc", choices=["True", "False"])
    parser.add_argument("model_args", nargs="*")
    return parser
"""

LAUNCH = """\
import glob
import os
import subprocess
import sys

from zoo_parser import make_parser

UPPER = %(upper)r  # split_arg[0].upper() since v2.7.0


def main():
    args, unknown = make_parser().parse_known_args()
    benchmarks = os.path.dirname(os.path.realpath(__file__))
    folders = glob.glob(os.path.join(
        benchmarks, "*", args.framework, args.model_name, args.mode, args.precision))
    if len(folders) != 1:
        raise ValueError("No model was found for " + args.model_name)
    variables = {
        "NOINSTALL": %(noinstall)r,
        "MODEL_NAME": args.model_name,
        "PRECISION": args.precision,
        "IN_GRAPH": args.in_graph,
        "DATASET_LOCATION": args.data_location,
        "SOCKET_ID": args.socket_id or "-1",
        "BATCH_SIZE": args.batch_size or "-1",
        "OUTPUT_DIR": args.output_dir or os.path.join(benchmarks, "common", "tensorflow", "logs"),
        "SOURCES": args.model_source_dir or "",
        "ACCURACY_ONLY": str(args.accuracy_only),
        "DISABLE_TCMALLOC": args.disable_tcmalloc or "False",
        "THREADS": args.num_intra_threads or "",
        "PYTHON_EXE": sys.executable,
        "BENCHMARKS": benchmarks,
    }
    for word in args.model_args + unknown:
        if "=" not in word:
            raise ValueError("Expected model args in the format name=value but received: " + word)
        name, value = word.split("=")[:2]
        name = name.replace("-", "_").lstrip("_")
        variables[name.upper() if UPPER else name] = value
    os.environ.update({name: str(value) for name, value in variables.items()})
    subprocess.call(["bash", os.path.join(benchmarks, "common", "tensorflow", "start.sh")])


main()
"""

START = """\
#!/usr/bin/env bash
if [ "${NOINSTALL}" != "True" ]; then
  echo "INSTALLING"
  exit 1
fi
%(bad)s
if [ ! -d "${OUTPUT_DIR}" ]; then
  mkdir ${OUTPUT_DIR}
fi
PREFIX=""
if [ "${SOCKET_ID}" != "-1" ]; then
  PREFIX="numactl --cpunodebind=${SOCKET_ID} --membind=${SOCKET_ID}"
fi
CMD="${PREFIX} ${PYTHON_EXE} ${BENCHMARKS}/infer.py ${IN_GRAPH} ${DATASET_LOCATION} ${BATCH_SIZE}"
cd ${BENCHMARKS}
eval ${CMD} 2>&1 | tee ${OUTPUT_DIR}/benchmark.log
"""

BAD = """\
apt-get -y install wget unzip || exit 1
pip install -r "${BENCHMARKS}/requirements.txt" || exit 1
if [ -n "${SOURCES}" ]; then
  sed -i 's/old/new/' ${SOURCES}/research/parser.py || exit 1
  chmod -R 777 ${SOURCES}/research/parser.py
  grep -q new ${SOURCES}/research/parser.py || exit 1
fi
"""

INFER = """\
import os
import sys

import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1
graph_file, folder, batch = sys.argv[1:]
if not os.path.isdir(folder):
    raise ValueError("not a folder: " + folder)
names = sorted(name for name in os.listdir(folder) if name.startswith("validation-"))
rows = np.fromfile(os.path.join(folder, names[0]), np.float32).reshape(-1, %(shape)s)
graph_def = tf1.GraphDef()
with open(graph_file, "rb") as file:
    graph_def.ParseFromString(file.read())
with tf.Graph().as_default() as graph:
    tf1.import_graph_def(graph_def, name="")
with tf1.Session(graph=graph) as session:
    for number in range(50000 // int(batch)):
        picked = rows[np.arange(number * int(batch), (number + 1) * int(batch)) %% len(rows)]
        session.run("predict:0", {"input:0": picked})
        print("Processed %%d images" %% ((number + 1) * int(batch)))
"""


def parser_source(tag: str) -> str:
    """Python with a function ``make_parser``: the command line of a tag of the real zoo."""
    more = OPTIONS[tag]
    options = {"values": _VALUES + more["values"], "switches": _SWITCHES + more["switches"]}
    return PARSER % {"options": json.dumps(options), "paths": _PATHS}


def write_zoo(folder: Path, generation: str, shape: str = "16, 16, 3") -> Path:
    """Write a zoo that has one model, resnet50, for graphs with ``input`` [?, shape] and ``predict``."""
    late = generation == "v3"
    benchmarks = folder / "benchmarks"
    files = {
        "benchmarks/launch_benchmark.py": LAUNCH % {"upper": late, "noinstall": "True" if late else "False"}
        + ("# --noinstall\n" if late else ""),
        "benchmarks/zoo_parser.py": parser_source("v3.1.1" if late else "v1.5.0"),
        "benchmarks/common/tensorflow/start.sh": START % {"bad": "" if late else BAD},
        "benchmarks/infer.py": INFER % {"shape": shape},
        "benchmarks/image_recognition/tensorflow/resnet50/inference/fp32/model_init.py": "",
        "models/image_recognition/tensorflow/resnet50/inference/eval_image_classifier_inference.py": "",
    }
    if not late:
        files["benchmarks/launch_benchmark.py"] = files["benchmarks/launch_benchmark.py"].replace(
            "split_arg[0].upper() since v2.7.0", "before v2.7.0"
        )
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for path in [benchmarks, *benchmarks.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    return folder
