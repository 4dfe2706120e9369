#!/usr/bin/env bash
# Refresh the lock files: each tensorflow-<variant>.in becomes tensorflow-<variant>.txt with the
# hashes of every file on the index, for all Python versions that the variant supports.
#
#   image/requirements/lock.sh [--upgrade] [variant ...]
#
# Without --upgrade, versions that still fit are kept. Needs uv (pip install uv). The index and the
# company CA come from uv's own settings (UV_DEFAULT_INDEX, SSL_CERT_FILE) and never enter a lock file.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"

command -v uv > /dev/null || { echo "lock.sh: error: uv is missing: pip install uv" >&2; exit 1; }

options=()
if [ "${1:-}" = --upgrade ]; then
    options+=(--upgrade)
    shift
fi
if [ $# -eq 0 ]; then
    for input in tensorflow-*.in; do
        variant=${input#tensorflow-}
        set -- "$@" "${variant%.in}"
    done
fi

for variant in "$@"; do
    input=tensorflow-$variant.in
    lock=tensorflow-$variant.txt
    [ -r "$input" ] || { echo "lock.sh: error: no variant $variant: there is no $input" >&2; exit 2; }
    # One version of each package must do for all Pythons that the input names, so that a local
    # environment on another Python computes with the same code as the image.
    oldest=$(sed -n 's/^# python: //p' "$input" | tr ' ' '\n' | sort -V | head -n 1)
    [ -n "$oldest" ] || { echo "lock.sh: error: $input has no line '# python: ...'" >&2; exit 1; }
    uv pip compile --quiet --universal --fork-strategy fewest --generate-hashes \
        --python-version "$oldest" --no-emit-index-url --emit-build-options --system-certs \
        --custom-compile-command image/requirements/lock.sh \
        "${options[@]}" --output-file "$lock" "$input"
    echo "lock.sh: $lock: $(grep -c '==' "$lock") packages" >&2
done
