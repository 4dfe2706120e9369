#!/usr/bin/env bash
# All tests: those of quantization/ with the Python of the local runtime, which has TensorFlow, then the others with
# the workshop's. Arguments go to pytest. Made first: .venv, by make.
# The former run in as many processes as there are cores (at most 4; ARGS="-n 0": in this one).
# VARIANTS="1.15 stock": instead of all this, those of quantization/ with the local environments of those variants.
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

# The tests of quantization/ in the local environment of a variant, or without one in that of the default variant.
quantization() { # VARIANT ARGUMENTS
    local variant=$1 python tools
    shift
    python=$(.venv/bin/python tests/local_python.py "$variant")
    tools=build/test-tools${variant:+-$variant}
    if ! cmp -s tests/requirements/tensorflow.txt "$tools/tensorflow.txt"; then
        rm -rf "$tools"
        "$python" -m pip install --quiet --disable-pip-version-check --require-hashes --target "$tools" \
            -r tests/requirements/tensorflow.txt
        cp tests/requirements/tensorflow.txt "$tools/"
    fi
    echo "== quantization, in $python"
    PYTHONPATH=$PWD/$tools TF_ENABLE_ONEDNN_OPTS=1 TF_CPP_MIN_LOG_LEVEL=2 PYTHONDONTWRITEBYTECODE=1 \
        run "$python" -m pytest tests/quantization -n auto --maxprocesses 4 "$@"
}

if [ -n "${VARIANTS:-}" ]; then
    for variant in $VARIANTS; do
        quantization "$variant" "$@"
    done
    exit "$status"
fi
quantization "" "$@"

echo "== launcher, image, demo, end to end, in .venv"
run .venv/bin/python -m pytest --ignore tests/quantization "$@"
exit "$status"
