#!/usr/bin/env bash
# All tests: those of quantization/ with the Python of the local runtime, which has TensorFlow, then the others with
# the workshop's. Arguments go to pytest. Made first: .venv, by make.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

status=0

# Exit status 5 is "no test was selected", as with -k; that is no failure of the half it happens in.
run() {
    local code=0
    "$@" || code=$?
    case $code in
        0 | 5) ;;
        *) status=1 ;;
    esac
}

python=$(.venv/bin/python tests/local_python.py)
tools=build/test-tools
if ! cmp -s tests/requirements/tensorflow.txt "$tools/tensorflow.txt"; then
    rm -rf "$tools"
    "$python" -m pip install --quiet --disable-pip-version-check --require-hashes --target "$tools" \
        -r tests/requirements/tensorflow.txt
    cp tests/requirements/tensorflow.txt "$tools/"
fi

echo "== quantization, in $python"
PYTHONPATH=$PWD/$tools TF_ENABLE_ONEDNN_OPTS=1 TF_CPP_MIN_LOG_LEVEL=2 PYTHONDONTWRITEBYTECODE=1 \
    run "$python" -m pytest tests/quantization "$@"

echo "== launcher, image, demo, end to end, in .venv"
run .venv/bin/python -m pytest --ignore tests/quantization "$@"
exit "$status"
