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

# The Pythons of each variant, best first (the local runtime reads them from the lock file), and the
# oldest one. One version of each package must do for all of them, so that a local environment on
# another Python computes with the same code as the image.
declare -rA PYTHONS=([2.14]="3.11 3.10 3.9")
declare -rA OLDEST_PYTHON=([2.14]=3.9)

command -v uv > /dev/null || { echo "lock.sh: error: uv is missing: pip install uv" >&2; exit 1; }

options=()
if [ "${1:-}" = --upgrade ]; then
    options+=(--upgrade)
    shift
fi
[ $# -gt 0 ] || set -- "${!OLDEST_PYTHON[@]}"

for variant in "$@"; do
    [ -n "${OLDEST_PYTHON[$variant]:-}" ] \
        || { echo "lock.sh: error: no variant $variant; there is: ${!OLDEST_PYTHON[*]}" >&2; exit 2; }
    lock=tensorflow-$variant.txt
    uv pip compile --quiet --universal --fork-strategy fewest --generate-hashes \
        --python-version "${OLDEST_PYTHON[$variant]}" --no-emit-index-url --system-certs \
        --no-header "${options[@]}" --output-file "$lock" "tensorflow-$variant.in"
    # uv rewrites the whole file, so the header comes last.
    header="# Written by image/requirements/lock.sh from tensorflow-$variant.in; not to be edited."
    printf '%s\n# python: %s\n%s\n' "$header" "${PYTHONS[$variant]}" "$(cat "$lock")" > "$lock.new"
    mv "$lock.new" "$lock"
    echo "lock.sh: $lock: $(grep -c '==' "$lock") packages" >&2
done
