#!/usr/bin/env bash
# Makes the workshop's environment: tests/make_venv.sh FOLDER
# Packages come from a lock file with hashes; which index serves them is pip's own configuration.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly folder=$1

find_python() {
    local name
    for name in "${PYTHON:-}" python3 python3.13 python3.12 python3.11 python3.10; do
        # venv and ensurepip: Debian ships Python without them
        if [ -n "$name" ] && "$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null
        then
            echo "$name"
            return
        fi
    done
    echo "make: error: no Python 3.10 or newer with its venv module here; install one" \
        "(Debian, Ubuntu: apt-get install python3 python3-venv) or name it: make PYTHON=/path/to/python3" >&2
    return 1
}

python=$(find_python)
echo "making $folder with $("$python" --version)" >&2
"$python" -m venv --clear "$folder"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/requirements/dev.txt

# The launcher itself stays where it is: its folder on the path, and its command.
site=$("$folder/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
pwd > "$site/checkout.pth"
cat > "$folder/bin/launch_quantization" << SCRIPT
#!$PWD/$folder/bin/python
import sys

from launch_quantization.launch_quantization import main

sys.exit(main())
SCRIPT
chmod +x "$folder/bin/launch_quantization"
touch "$folder/ready"
