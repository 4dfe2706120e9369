#!/usr/bin/env bash
# Us against the peers: see compare.py, to which arguments go. Needs ../shared, and an index that has the peers.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

if [ ! -d ../shared/models ]; then
    echo "not measured: real graphs, as there is no ../shared" >&2
    exit 1
fi
python=$(.venv/bin/python tests/local_python.py)
tools=$PWD/build/bench-tools
tests/bench/make_tools.sh "$python" "$tools"
PYTHONPATH=$PWD/quantization:$PWD:$PWD/tests/bench:$tools TF_ENABLE_ONEDNN_OPTS=1 TF_CPP_MIN_LOG_LEVEL=2 \
    exec "$python" tests/bench/peers/compare.py "$@"
