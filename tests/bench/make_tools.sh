#!/usr/bin/env bash
# make_tools.sh PYTHON FOLDER: the packages that benchmarks need besides TensorFlow, made anew when their lock changes.
set -euo pipefail

lock=tests/requirements/coco.txt
if ! cmp -s "$lock" "$2/coco.txt"; then
    rm -rf "$2"
    "$1" -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --target "$2" -r "$lock"
    cp "$lock" "$2/"
fi
