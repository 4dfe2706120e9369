#!/usr/bin/env bash
# Measurements, not tests: nothing here passes or fails. Arguments go to graphs_real.py.
#   launcher_*.py     with the workshop's Python
#   scale.py          with the local runtime's Python, which has TensorFlow
#   graphs_random.py  the same, without arguments; beside neural-compressor where PEER_PYTHON names a Python that has it
#   zoo_keras.py      by hand: families of Keras applications with random weights; --help
#   large_graph.py    by hand: a graph of 1.5 GB, some minutes, 9 GB of memory
#   graphs_real.py    the same; only where ../shared is there
#   accuracy.py       by hand, after this: the defaults on all 13 graphs of ../shared, before and after a change; --help
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
shopt -s nullglob

for script in tests/bench/launcher_*.py; do
    .venv/bin/python "$script"
done

python=$(.venv/bin/python tests/local_python.py)
export PYTHONPATH=$PWD/quantization:$PWD TF_ENABLE_ONEDNN_OPTS=1 TF_CPP_MIN_LOG_LEVEL=2
"$python" tests/bench/scale.py
"$python" tests/bench/graphs_random.py
if [ ! -d ../shared/models ]; then
    echo "not measured: real graphs, as there is no ../shared"
    exit 0
fi
tools=build/bench-tools
tests/bench/make_tools.sh "$python" "$tools"
PYTHONPATH=$PYTHONPATH:$PWD/$tools "$python" tests/bench/graphs_real.py "$@"
