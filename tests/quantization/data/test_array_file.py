"""Arrays in files, row by row."""

from __future__ import annotations

import tracemalloc
import zipfile

import numpy as np
import pytest

from intel_quantization.data.array_file import stored_arrays
from intel_quantization.errors import BadInputError

pytestmark = pytest.mark.tensorflow

VALUES = np.arange(60, dtype=np.float32).reshape(5, 3, 4)


def saved(folder, kind, values=VALUES):
    path = str(folder / ("x.npy" if kind == "npy" else "a.npz"))
    if kind == "npy":
        np.save(path, values)
    else:
        (np.savez if kind == "npz" else np.savez_compressed)(path, x=values)
    return path


@pytest.mark.parametrize("kind", ["npy", "npz", "compressed"])
def test_rows(tmp_path, kind):
    (array,) = stored_arrays(saved(tmp_path, kind)).values()
    assert (array.shape, array.dtype) == ((5, 3, 4), np.float32)
    for numbers in ([0, 1, 2, 3, 4], [1, 4], [], [3]):
        rows = list(array.rows(numbers))
        assert len(rows) == len(numbers)
        for number, row in zip(numbers, rows):
            np.testing.assert_array_equal(row, VALUES[number])
    np.testing.assert_array_equal(array.whole(), VALUES)


def test_names(tmp_path):
    np.savez(str(tmp_path / "a.npz"), **{"scope/x": VALUES, "y": VALUES})
    assert set(stored_arrays(str(tmp_path / "a.npz"))) == {"scope/x", "y"}
    assert set(stored_arrays(saved(tmp_path, "npy"))) == {"x"}


def test_a_single_value(tmp_path):
    path = saved(tmp_path, "npy", np.float32(0.5))
    assert stored_arrays(path)["x"].whole() == 0.5


@pytest.mark.parametrize("kind", ["npy", "npz", "compressed"])
def test_memory_is_that_of_the_rows(tmp_path, kind):
    path = saved(tmp_path, kind, np.zeros((4000, 1000), np.float32))  # 16 MB
    (array,) = stored_arrays(path).values()
    tracemalloc.start()
    assert sum(len(row) for row in array.rows(range(0, 4000, 2))) == 2_000_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.array([{}]), "Python objects"),
        (np.array([(1, 2.0)], [("a", "i4"), ("b", "f4")]), "records"),
        (np.asfortranarray(VALUES), "Fortran order"),
    ],
    ids=["objects", "records", "fortran"],
)
def test_arrays_that_are_refused(tmp_path, values, said):
    with pytest.raises(BadInputError, match=r"x\.npy") as caught:
        stored_arrays(saved(tmp_path, "npy", values))
    assert said in caught.value.message


@pytest.mark.parametrize("kind", ["npy", "npz"])
@pytest.mark.parametrize("keep", [0, 4, 40])
def test_files_that_are_none(tmp_path, kind, keep):
    path = saved(tmp_path, kind)
    with open(path, "rb") as stream:
        data = stream.read()
    with open(path, "wb") as stream:
        stream.write(data[:keep])
    with pytest.raises(BadInputError, match="is no numpy file, or is damaged"):
        stored_arrays(path)


def test_a_file_that_ends_early(tmp_path):
    path = saved(tmp_path, "npy")
    array = stored_arrays(path)["x"]
    with open(path, "r+b") as stream:
        stream.truncate(stream.seek(0, 2) - 4)
    with pytest.raises(BadInputError, match=r"it says \(5, 3, 4\) of float32, which takes 240 bytes, and has 236"):
        stored_arrays(path)
    with pytest.raises(BadInputError, match="ends in row 4 of 5"):  # it got shorter meanwhile
        list(array.rows(range(5)))


def test_a_damaged_member(tmp_path):
    path = saved(tmp_path, "npz")
    with open(path, "r+b") as stream:
        stream.seek(250)
        stream.write(b"\xff\xff")
    with pytest.raises(BadInputError, match=r"a\.npz"):
        list(stored_arrays(path)["x"].rows(range(5)))


def test_an_archive_without_arrays(tmp_path):
    np.savez(str(tmp_path / "a.npz"))
    with pytest.raises(BadInputError, match="no arrays"):
        stored_arrays(str(tmp_path / "a.npz"))
    with pytest.raises(BadInputError, match=r"none\.npy"):
        stored_arrays(str(tmp_path / "none.npy"))


@pytest.mark.parametrize("kind", ["npy", "npz", "compressed"])
@pytest.mark.parametrize("shape", ["(6, 3, 4)", "(10000000000, 3, 4)", "(-5, 3, 4)", "(5, 3, 99)"])
def test_a_header_that_lies(tmp_path, kind, shape):
    path = saved(tmp_path, "npy")
    with open(path, "rb") as stream:
        data = stream.read()
    old = b"(5, 3, 4), }" + b" " * 20
    assert old in data
    data = data.replace(old, (shape.encode() + b", }").ljust(len(old)))
    with open(path, "wb") as stream:
        stream.write(data)
    if kind != "npy":
        path = str(tmp_path / "a.npz")
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED if kind == "npz" else zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x.npy", data)
    with pytest.raises(BadInputError, match=r"it says \(.*, which takes .* bytes, and has 240"):
        stored_arrays(path)


def test_the_checksum_is_read_whichever_rows_are(tmp_path):
    values = np.arange(300_000, dtype=np.float32).reshape(1000, 300)  # more than zipfile reads ahead
    path = saved(tmp_path, "npz", values)
    with open(path, "rb") as stream:
        data = bytearray(stream.read())
    data[data.index(values[900].tobytes())] ^= 1
    with open(path, "wb") as stream:
        stream.write(data)
    with pytest.raises(BadInputError, match=r"a\.npz \(x\) .*damaged: Bad CRC-32"):
        stored_arrays(path)


def test_an_encrypted_archive(tmp_path):
    path = saved(tmp_path, "npz")
    with open(path, "rb") as stream:
        data = bytearray(stream.read())
    data[6] |= 1  # the flag, at the member and in the directory
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    with open(path, "wb") as stream:
        stream.write(data)
    with pytest.raises(BadInputError, match=r"a\.npz \(x\) .*encrypted"):
        stored_arrays(path)


@pytest.mark.parametrize(
    "header", [b"{" * 1000, b"{'descr': '<f4',", b"\xff\xfe(", b"{'descr': [('x', 'y')]}", b"1" * 90]
)
def test_headers_that_do_not_parse(tmp_path, header):
    path = str(tmp_path / "x.npy")
    with open(path, "wb") as stream:
        stream.write(b"\x93NUMPY\x01\0" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(BadInputError, match=r"x\.npy is no numpy file, or is damaged"):
        stored_arrays(path)


def test_many_rows_of_nothing(tmp_path):
    path = str(tmp_path / "x.npy")
    with open(path, "wb") as stream:
        np.lib.format.write_array_header_1_0(stream, {"descr": "<i8", "fortran_order": False, "shape": (10**12, 0)})
    assert stored_arrays(path)["x"].whole().size == 0


@pytest.mark.parametrize(("dtype", "shape"), [("|V0", (10**15,)), ("|S0", (3,)), ("<f4", (8, 0, 10**30))])
def test_any_number_of_no_bytes(tmp_path, dtype, shape):
    """What takes no bytes may claim any size, and reading it row by row would not end."""
    header = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (dtype, shape)
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\x01\x00v\x00" + header.encode().ljust(117) + b"\n")
    with pytest.raises(BadInputError, match="it says"):
        stored_arrays(str(tmp_path / "x.npy"))
