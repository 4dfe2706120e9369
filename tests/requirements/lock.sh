#!/usr/bin/env bash
# Renews the hash-locked requirement files of the workshop. Needs uv (pip install uv). The index is the user's own
# business: nothing about it is written into the files.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

lock() { # name, oldest Python, further options
    uv pip compile "${@:3}" --quiet --universal --generate-hashes --no-annotate --no-header \
        --no-emit-index-url --no-emit-find-links --python-version "$2" "$1.in" -o "$1.txt"
}

lock dev 3.10
lock tensorflow 3.7
lock coco 3.9 --no-deps
lock fuzz 3.11 --no-deps
lock audit 3.10
