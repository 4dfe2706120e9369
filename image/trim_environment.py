"""Take out of the environment what no job reads at run time; run once, while the image is built.

Three kinds of things go: whole packages that TensorFlow declares and never imports, parts of packages
(headers, web assets, tests), and the symbol tables of shared libraries, which only debuggers read.
"""

from __future__ import annotations

import struct
import subprocess
import sys
import sysconfig
from pathlib import Path
from shutil import rmtree

SITE = Path(sysconfig.get_path("purelib"))
PIP = (sys.executable, "/opt/pip/pip")

UNUSED_PACKAGES = (
    "libclang",  # needed to build custom ops
    "tensorflow-io-gcs-filesystem",  # Google Cloud Storage; the job has no network
    # TensorBoard's server; `import tensorflow` needs only tensorboard.summary, which stays.
    "tensorboard-data-server",
    "google-auth",
    "google-auth-oauthlib",
    "requests-oauthlib",
    "oauthlib",
    "pyasn1",
    "pyasn1-modules",
    "cryptography",
    "cffi",
    "pycparser",
    "markdown",
    "werkzeug",
    "grpcio",
    "rsa",
    "cachetools",
    "pip",  # the image installs nothing any more
)

UNUSED_PARTS = (
    ("tensorflow/include", "tensorflow_core/include"),
    ("numpy/**/tests",),
    ("numpy/core/include", "numpy/_core/include"),
    ("numpy/**/*.a",),
    ("h5py/tests",),
)
"""In each line, what a part is called in one version or another; one of the names must be there."""

PARTS_OF_SOME_VARIANTS = (
    "tensorflow/xla_aot_runtime_src",
    "tensorboard/webfiles.zip",
    "scipy/**/tests",
)


def remove_packages() -> None:
    """Uninstall UNUSED_PACKAGES, with their metadata, so that nothing claims they are there."""
    subprocess.run([*PIP, "uninstall", "--yes", "--quiet", "--disable-pip-version-check", *UNUSED_PACKAGES], check=True)


def remove_parts() -> None:
    """Remove UNUSED_PARTS, and those of some variants; one that is not there means that the list is out of date."""
    for patterns in UNUSED_PARTS:
        if not _remove(patterns):
            names = " or ".join(patterns)
            raise SystemExit(f"trim_environment.py: nothing matches {names} in {SITE}; correct UNUSED_PARTS")
    _remove(PARTS_OF_SOME_VARIANTS)


def _remove(patterns: tuple[str, ...]) -> int:
    """Remove all that matches; returns how much did."""
    removed = 0
    for pattern in patterns:
        for path in list(SITE.glob(pattern)):
            removed += 1
            if path.is_dir():
                rmtree(path)
            else:
                path.unlink()
    return removed


def drop_symbols(path: Path) -> int:
    """Cut a shared library after its last mapped byte; returns how many bytes that saved.

    Section headers, symbol tables and debugging data lie there. The loader reads none of them: it
    goes by the program headers, whose dynamic symbols stay. `strip` would do the same, but is not
    in the base image.
    """
    with path.open("r+b") as file:
        header = file.read(64)
        if len(header) < 64 or not is_library(header):
            return 0
        table, (entry, count) = struct.unpack_from("<Q", header, 32)[0], struct.unpack_from("<HH", header, 54)
        file.seek(table)
        end = max(table + entry * count, mapped_end(file.read(entry * count), entry))
        before = path.stat().st_size
        if end >= before:
            return 0
        file.truncate(end)
        file.seek(40)
        file.write(bytes(8))  # e_shoff: no section header table
        file.seek(58)
        file.write(struct.pack("<HHH", 64, 0, 0))  # e_shentsize, e_shnum, e_shstrndx
    return before - end


def is_library(header: bytes) -> bool:
    """Whether an ELF header of 64 bytes is that of a 64-bit little-endian shared library."""
    return header[:6] == b"\x7fELF\x02\x01" and struct.unpack_from("<H", header, 16)[0] == 3


def mapped_end(program_headers: bytes, entry: int) -> int:
    """Offset after the last byte of the file that a program header speaks of; each is ``entry`` bytes long."""
    ends = [64]
    for start in range(0, len(program_headers), entry):
        offset, _, _, in_file = struct.unpack_from("<QQQQ", program_headers, start + 8)
        ends.append(offset + in_file)
    return max(ends)


def main() -> None:
    """Trim the environment this runs in and say what it saved."""
    remove_packages()
    remove_parts()
    libraries = [path for path in SITE.rglob("*.so*") if path.is_file() and not path.is_symlink()]
    saved = sum(drop_symbols(path) for path in libraries)
    left = sum(path.lstat().st_size for path in SITE.rglob("*"))
    print(f"trim_environment.py: {saved / 1e6:.0f} MB of symbols dropped, {left / 1e6:.0f} MB left", flush=True)


if __name__ == "__main__":
    main()
