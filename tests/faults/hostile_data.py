"""Makes data and other files that are damaged, or that lie; runs inside, on numpy alone: see inputs.py.

Each function of DATA writes one file, or a folder, of its name into a folder.
"""

import io
import json
import os
import struct
import zipfile
import zlib

import numpy as np

DATA = {}
"""Name -> what makes it, called with its path."""


def _named(name):
    def register(make):
        DATA[name] = make
        return make

    return register


def _write(path, data):
    with open(path, "wb") as stream:
        stream.write(data)


def _bytes(name, data):
    DATA[name] = lambda path: _write(path, data)


# -- images ---------------------------------------------------------------------------------------


def _png(width=16, height=16, rows=None):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    if rows is None:
        rows = b"".join(b"\0" + bytes((x * y) % 256 for x in range(3 * width)) for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def _gif(width, height):
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 2, 2, 0) + b"\x02\x03\x44\x02\x05\0"
    colours = b"\0\0\0\xff\xff\xff\xff\0\0\0\xff\0"
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x81, 0, 0) + colours + frame + b";"


def _images(path, **odd):
    os.mkdir(path)
    for number in range(4):
        _write(os.path.join(path, "%d.png" % number), _png())
    for name, data in odd.items():
        _write(os.path.join(path, name.replace("_", ".")), data)


_named("immense_gif")(lambda path: _images(path, a_gif=_gif(65535, 65535)))
_named("immense_png")(lambda path: _images(path, a_png=_png(20000, 20000, b"\0")))
_named("negative_bmp")(lambda path: _images(path, a_bmp=b"BM" + struct.pack("<IHHIIii", 99, 0, 0, 54, 40, -9, -9)))
_named("inflating_png")(lambda path: _images(path, a_png=_png(16, 16, bytes(200_000_000))))
_named("text_as_png")(lambda path: _images(path, a_png=b"I am an image"))
_named("cut_png")(lambda path: _images(path, a_png=_png()[:60]))


@_named("odd_classes")
def _odd_classes(path):
    """Class folders whose names are digits only to Unicode, or of any length."""
    for name in ("²", "٣", "7" * 25, "7" * 200, "-1", "01", "1"):
        os.makedirs(os.path.join(path, name))
        _write(os.path.join(path, name, "a.png"), _png())


@_named("escapes_in_names")
def _escapes_in_names(path):
    os.mkdir(path)
    for number in range(4):
        _write(os.path.join(path, "\x1b]0;owned\x07\x1b[2J%d.png" % number), b"no image")


# -- arrays ---------------------------------------------------------------------------------------


def _npy(shape="(8, 16, 16, 3)", data=b"", descr="<f4"):
    head = ("{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (descr, shape)).encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + data


def _rows(count=8):
    return np.linspace(-1, 1, count * 768).astype("<f4").tobytes()


_bytes("lies.npy", _npy("(1000000000, 16, 16, 3)", _rows()))
_bytes("negative.npy", _npy("(-8, 16, 16, 3)", _rows()))
_bytes("nothing.npy", _npy("(1000000000000,)", b"", "|V0"))
_bytes("objects.npy", _npy("(8,)", b"cos\nsystem\n(S'id'\ntR.", "|O"))
_bytes("empty.npy", _npy("(0, 16, 16, 3)"))
_bytes("not_finite.npy", _npy(data=np.full(8 * 768, np.nan, "<f4").tobytes()))
_bytes("huge_values.npy", _npy(data=np.full(8 * 768, 3e38, "<f4").tobytes()))
_bytes("rows.npy", _npy(data=_rows()))


def _npz(**arrays):
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


@_named("damaged.npz")
def _damaged(path):
    stream = io.BytesIO()
    np.savez(stream, input=np.zeros((8, 16, 16, 3), "f4"))
    data = bytearray(stream.getvalue())
    data[3000] ^= 255
    _write(path, bytes(data))


@_named("encrypted.npz")
def _encrypted(path):
    data = bytearray(_npz(input=np.zeros((8, 16, 16, 3), "f4")))
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + flags] |= 1
    _write(path, bytes(data))


@_named("bomb.npz")
def _bomb(path):
    _inflating(path, "input.npy", _npy("(4000000, 16, 16, 3)"), bytes(1 << 20), 1000)


def _inflating(path, name, start, block, count):
    """An archive of one member, ``start`` and ``count`` times ``block``."""
    packed = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
    with packed as archive, archive.open(name, "w", force_zip64=True) as stream:
        stream.write(start)
        for _ in range(count):
            stream.write(block)


def _record(data, length=None):
    def masked(text):
        crc = zlib.crc32(text)  # not the CRC32C that TFRecords have: each is wrong
        return struct.pack("<I", crc & 0xFFFFFFFF)

    head = struct.pack("<Q", len(data) if length is None else length)
    return head + masked(head) + data + masked(data)


_bytes("wrong_crc.tfrecord", _record(b"x" * 99))
_bytes("endless.tfrecord", _record(b"x" * 99, 1 << 62))

# -- labels ---------------------------------------------------------------------------------------


def _lines(labels):
    return "".join("%d.png %s\n" % pair for pair in enumerate(labels)).encode()


_bytes("long_numbers.txt", _lines(("1", "9" * 25, "9" * 5000, "0")))
_bytes("odd_digits.txt", _lines(("²", "٣", "①", "1")))
_bytes("long_field.csv", b"file,label\n0.png," + b"x" * 200_000 + b"\n")
_bytes("empty_labels.npy", _npy("(0,)", b"", "<i8"))
_bytes("binary.txt", bytes(range(256)) * 99)


def _coco(width=16, bbox=(1, 2, 3, 4), category=1, **more):
    images = [{"id": number, "file_name": "%d.png" % number, "width": width, "height": 16} for number in range(4)]
    boxes = [{"image_id": 0, "category_id": category, "bbox": list(bbox)}]
    return json.dumps({"images": images, "annotations": boxes, **more}).encode()


_bytes("coco.json", _coco())
_bytes("coco_huge_class.json", _coco(category=10**30))
_bytes("coco_infinite.json", _coco(category=float("inf"), bbox=(float("nan"), 1, 2, float("inf"))))
_bytes("coco_no_width.json", _coco(width=0))
_bytes("coco_nested.json", b'{"images": ' + b"[" * 100_000)
_bytes("coco_of_a_list.json", b"[1, 2, 3]")


def _maps(path, data):
    os.mkdir(path)
    for number in range(4):
        _write(os.path.join(path, "%d.npy" % number), data)


_named("maps_of_negatives")(lambda path: _maps(path, _npy("(16, 16)", np.full(256, -1, "<i8").tobytes(), "<i8")))
_named("maps_of_immense")(lambda path: _maps(path, _npy("(16, 16)", np.full(256, 1 << 60, "<i8").tobytes(), "<i8")))
_named("maps_that_lie")(lambda path: _maps(path, _npy("(1000000, 1000000)", b"x" * 99, "<i8")))

# -- statistics -------------------------------------------------------------------------------------

_STATISTICS = {"schema": 1, "graph": "0" * 64, "samples": 4, "tensors": {}, "origin": {"data": "\ud800", "options": {}}}
_bytes("other_graph.json", json.dumps(_STATISTICS).encode())
_bytes("nested_statistics.json", b"[" * 1_000_000)
_bytes("no_statistics.json", b'{"schema": 1, "graph": 7, "tensors": [], "samples": 1e999}')
_bytes("no_statistics.npz", _npz(a=np.zeros(3)))


@_named("bomb_statistics.npz")
def _bomb_statistics(path):
    _inflating(path, "statistics.json", b"{", b" " * (1 << 20), 3000)


# -- programs of the user's -------------------------------------------------------------------------

_PROGRAMS = """\
import os, sys, time
import numpy as np


def good(outputs, labels):
    return np.ones(len(next(iter(outputs.values()))))


def fails(outputs, labels):
    raise RuntimeError("\\x1b[2Jno\\nhow")


def ends(outputs, labels):
    sys.exit(0)


def ends_at_once(outputs, labels):
    os._exit(0)


def kills(outputs, labels):
    os.kill(os.getpid(), 9)


def sleeps(outputs, labels):
    time.sleep(1000)


def says_nothing(outputs, labels):
    return None


def says_nan(outputs, labels):
    return float("nan")


def says_much(outputs, labels):
    return np.ones((len(labels), 7))


def wanders(outputs, labels):
    wanders.calls = getattr(wanders, "calls", 0) + 1
    return 1.0 if wanders.calls % 2 else np.ones(len(labels))


def forges(outputs, labels):
    print('{"event":"result","output":"/etc/passwd"}', flush=True)
    print('{"event":"end","exit_code":0}', flush=True)
    os._exit(0)


def feeds():
    while True:
        yield {"input": np.zeros((1, 16, 16, 3), np.float32)}


def feeds_nothing():
    return []


def feeds_other():
    yield {"nothing": np.zeros(3)}


def feeds_objects():
    yield {"input": np.array([object()])}


def feeds_nan():
    while True:
        yield {"input": np.full((1, 16, 16, 3), np.nan, np.float32)}


def feeds_and_ends():
    yield {"input": np.zeros((1, 16, 16, 3), np.float32)}
    sys.exit(0)
"""
_bytes("programs.py", _PROGRAMS.encode())
_bytes("ends.py", b"import sys\nsys.exit(0)\n")
_bytes("no_python.py", b"\x00\xff def (:\n")
_bytes(
    "floods.py",
    b"import sys\nfor n in range(2000):\n    sys.stdout.buffer.write(bytes(range(256)) * 40)\n"
    b"def good(outputs, labels):\n    return 1.0\n",
)

_RUNS = """\
import os, sys, time
import numpy as np
import tensorflow as tf
tf1 = tf.compat.v1
what, path = sys.argv[1], sys.argv[3]
output = os.environ.get("WORKSPACE", "/workspace") + "/output"


def plant():
    for name in ("out.pb", "out.report.json", "out.manifest.json", "out.report.html", "out.intermediate", "x"):
        try:
            os.symlink("/etc/passwd", os.path.join(output, name))
        except OSError:
            pass
    try:
        os.mkfifo(os.path.join(output, "out.report.md"))
        os.mkdir(os.path.join(output, "deep"))
    except OSError:
        pass


def scribble():
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    while True:
        for root, _, names in os.walk(output):
            for name in names:
                try:
                    with open(os.path.join(root, name), "r+b") as stream:
                        stream.write(b"scribbled")
                except OSError:
                    pass
        time.sleep(0.01)


if what == "forges":
    print('{"event":"result","output":"/etc/passwd"}')
    print('{"event":"end","exit_code":0}', flush=True)
    sys.exit(0)
if what == "floods":
    for _ in range(3000):
        sys.stdout.buffer.write(bytes(range(256)) * 40)
with tf.Graph().as_default() as graph:
    tf1.import_graph_def(tf1.GraphDef.FromString(open(path, "rb").read()), name="")
with tf1.Session(graph=graph) as session:
    for _ in range(4):
        session.run("predict:0", {"input:0": np.linspace(-1, 1, 768).reshape(1, 16, 16, 3)})
    {"plants": plant, "scribbles": scribble}.get(what, lambda: None)()
    for _ in range(1000):
        session.run("predict:0", {"input:0": np.linspace(-1, 1, 768).reshape(1, 16, 16, 3)})
"""


@_named("program")
def _program(path):
    os.mkdir(path)
    _write(os.path.join(path, "runs.py"), _RUNS.encode())
