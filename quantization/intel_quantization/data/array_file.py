"""Arrays in .npy and .npz files, of which only the rows that are asked for are read."""

from __future__ import annotations

import lzma
import os
import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from typing import IO, Iterable, Iterator

import numpy as np

from intel_quantization.errors import BadInputError

EXTENSIONS = (".npy", ".npz")
# What zipfile, the decompressors and numpy's parser of headers raise on damaged or encrypted files.
_ZIP_ERRORS = (OSError, EOFError, ValueError, RuntimeError, KeyError, zipfile.BadZipFile, zlib.error, lzma.LZMAError)
READING_ERRORS = (*_ZIP_ERRORS, TypeError, SyntaxError, AttributeError, IndexError, OverflowError, tokenize.TokenError)
_BLOCK = 1 << 20
_MOST_ROWS = 1 << 40
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


@dataclass(frozen=True)
class StoredArray:
    """An array in a file.

    Attributes:
        path: the file.
        member: its name in a .npz file, None in a .npy file.
        shape: of the whole array.
        dtype: of its values.
    """

    path: str
    member: str | None
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def label(self) -> str:
        """What to call it in messages."""
        return self.path if self.member is None else f"{self.path} ({self.member})"

    def rows(self, numbers: Iterable[int]) -> Iterator[np.ndarray]:
        """The rows (first dimension) of these ascending numbers, one after the other.

        Raises:
            BadInputError: the file ends early, or is damaged.
        """
        size = int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize
        with _open(self.path, self.member) as stream:
            _read_header(stream, self.label)
            position = 0
            try:
                for number in numbers:
                    _skip(stream, (number - position) * size)
                    data = stream.read(size)
                    if len(data) < size:
                        raise _tell_damage(self.label, f"it ends in row {number} of {self.shape[0]}")
                    yield np.frombuffer(data, self.dtype).reshape(self.shape[1:])
                    position = number + 1
            except BadInputError:
                raise
            except _ZIP_ERRORS as error:
                raise _tell_damage(self.label, _text(error)) from None

    def whole(self) -> np.ndarray:
        """All of it, where it is small: labels, or a single value."""
        if not self.shape:
            with _open(self.path, self.member) as stream:
                _read_header(stream, self.label)
                return np.frombuffer(stream.read(self.dtype.itemsize), self.dtype).reshape(())
        return np.zeros(self.shape, self.dtype) if 0 in self.shape else np.stack(list(self.rows(range(self.shape[0]))))


def stored_arrays(path: str) -> dict[str, StoredArray]:
    """The arrays of a file by name; the name of a .npy file's is that of the file without ``.npy``.

    Raises:
        BadInputError: the file cannot be read, or holds something else.
    """
    if path.lower().endswith(".npy"):
        return {os.path.basename(path)[:-4]: _find_stored(path, None)}
    try:
        with zipfile.ZipFile(path) as archive:
            members = [name for name in archive.namelist() if name.endswith(".npy")]
    except _ZIP_ERRORS as error:
        raise _tell_damage(path, _text(error)) from None
    if not members:
        raise BadInputError(f"there are no arrays in {path}", "make it with numpy.savez(FILE, INPUT=array)")
    return {name[:-4]: _find_stored(path, name[:-4]) for name in members}


def _find_stored(path: str, member: str | None) -> StoredArray:
    label = path if member is None else f"{path} ({member})"
    with _open(path, member) as stream:
        shape, fortran, dtype = _read_header(stream, label)
        size = _size_of_rest(path, stream, label)
    if dtype.hasobject or dtype.names:
        raise BadInputError(f"{label} holds Python objects or records, not numbers", "save an array of numbers")
    if fortran and len(shape) > 1:
        raise BadInputError(f"{label} is in Fortran order", "save numpy.ascontiguousarray(array)")
    if not dtype.itemsize or max(shape, default=0) > _MOST_ROWS:
        raise _tell_damage(label, f"it says {shape} of {dtype}")  # of no bytes there may be any number
    expected = dtype.itemsize
    for count in shape:
        expected *= count
    if min(shape, default=0) < 0 or size < expected:
        raise _tell_damage(label, f"it says {shape} of {dtype}, which takes {expected} bytes, and has {size}")
    return StoredArray(path, member, shape, dtype)


def _open(path: str, member: str | None) -> IO[bytes]:
    try:
        if member is None:
            return open(path, "rb")
        with zipfile.ZipFile(path) as archive:
            return archive.open(member + ".npy")
    except _ZIP_ERRORS as error:
        raise _tell_damage(path if member is None else f"{path} ({member})", _text(error)) from None


def _read_header(stream: IO[bytes], label: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    """(shape, whether in Fortran order, dtype)."""
    try:
        version = np.lib.format.read_magic(stream)
        if version not in _HEADERS:
            raise _tell_damage(label, "its format version is {}.{}".format(*version))
        return _HEADERS[version](stream)
    except BadInputError:
        raise
    except READING_ERRORS as error:
        raise _tell_damage(label, _text(error)) from None


def _size_of_rest(path: str, stream: IO[bytes], label: str) -> int:
    """How many bytes are behind the header. Of a .npz file they are read, since only at the end is their CRC known."""
    if not isinstance(stream, zipfile.ZipExtFile):
        return os.path.getsize(path) - stream.tell()
    size = 0
    try:
        for block in iter(lambda: stream.read(_BLOCK), b""):
            size += len(block)
    except _ZIP_ERRORS as error:
        raise _tell_damage(label, _text(error)) from None
    return size


def _skip(stream: IO[bytes], count: int) -> None:
    """Go forward; what is compressed has to be read."""
    if count and stream.seekable() and not isinstance(stream, zipfile.ZipExtFile):
        stream.seek(count, os.SEEK_CUR)
        return
    while count > 0:
        got = len(stream.read(min(count, _BLOCK)))
        if not got:
            return  # the next row is found to be missing
        count -= got


def _text(error: BaseException) -> str:
    return (str(error).split("\n")[0] or type(error).__name__)[:200]


def _tell_damage(label: str, why: str) -> BadInputError:
    return BadInputError(f"{label} is no numpy file, or is damaged: {why}", "expected .npy or .npz, of numbers")
