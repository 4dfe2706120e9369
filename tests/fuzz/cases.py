"""One case: a damaged file, read and used as a job would; what came of it is a short text."""

from __future__ import annotations

import functools
import os
import re
import shutil
import tempfile
import traceback

import numpy as np
import tensorflow as tf
from google.protobuf import text_format

from intel_quantization.calibration.statistics import Statistics
from intel_quantization.data.datasets import open_dataset
from intel_quantization.errors import BadInputError, InvalidGraphError, OutOfMemoryError, QuantizationError
from intel_quantization.graph.explain import explained
from intel_quantization.graph.graph import Graph
from intel_quantization.graph_converter import GraphConverter
from intel_quantization.measure.synthetic import synthetic_feed
from intel_quantization.quantize.candidates import find_candidates
from intel_quantization.reading.interface import TensorInfo
from intel_quantization.reading.load import load_graph
from intel_quantization.transforms.cut_at_inputs import cut_at_inputs
from intel_quantization.transforms.pipeline import optimize
from tests.fuzz import compared, mutate, oddities, readers, seeds

_TINY = 30_000
# Of the tiny graphs; it takes ten times as long as all before it.
_CONVERTED = 0.2
_IMAGE = (TensorInfo("input:0", "input", "float32", (None, 4, 4, 3)),)
_ROWS = (TensorInfo("input:0", "input", "float32", (None, 6)),)
BYTES = (mutate.flip_bits, mutate.flip_bits, mutate.change_bytes, mutate.cut)


class Cases:
    """Makes and runs cases by their numbers.

    Args:
        folder: for the files of one case; made anew by the next.
        seed: cases of one number, seed and kind are the same.
        kind: of all cases, keys of KINDS with commas between; empty: any.
        convert: whether tiny graphs are converted, and so run; else they are read and optimized only.
    """

    def __init__(self, folder: str, seed: int = 0, kind: str = "", convert: bool = True) -> None:
        self._folder = folder
        self._convert = convert
        self._kinds = kind.split(",") if kind else []
        self._seed = seed
        self._graphs = seeds.graphs()
        self._bytes = {name: graph.SerializeToString(deterministic=True) for name, graph in self._graphs.items()}
        self._text = text_format.MessageToString(self._graphs["classifier"]).encode()
        self._models: dict = {}
        self._readers = readers.readers()
        self._images = {"a.png": seeds.png(), "b.bmp": seeds.bmp(), "c.gif": seeds.gif(), "d.jpg": seeds.jpeg()}

    def kind_of(self, number: int) -> str:
        """The kind of a case."""
        rng = mutate.generator(self._seed, number, "kind")
        return rng.choice(self._kinds) if self._kinds else _kind(rng)

    def run(self, number: int) -> tuple[str, str]:
        """(kind of case, what came of it); an outcome that begins with ``!`` is a finding."""
        rng, kind = mutate.generator(self._seed, number), self.kind_of(number)
        shutil.rmtree(self._folder, ignore_errors=True)
        os.mkdir(self._folder)
        return kind, outcome(lambda: KINDS[kind](self, rng=rng))

    # -- graphs ----------------------------------------------------------------------------------

    def graph_bytes(self, rng) -> None:
        """Bits and bytes of a binary graph."""
        name = rng.choice(list(self._bytes))
        self._use_graph(rng.choice(BYTES)(rng, self._bytes[name]), ".pb", rng.random() < _CONVERTED)

    def graph_fields(self, rng) -> None:
        """Fields of a graph that still parses."""
        graph_def = mutate.change_fields(rng, self._graphs[rng.choice(list(seeds.GRAPHS))])
        self._use_graph(graph_def.SerializeToString(), ".pb", rng.random() < _CONVERTED)

    def graph_odd(self, rng) -> None:
        """A graph that is well formed, and that nobody would make."""
        graph_def = oddities.odd(rng, self._graphs[rng.choice(list(seeds.GRAPHS))])
        self._use_graph(graph_def.SerializeToString(), ".pb", rng.random() < _CONVERTED)

    def graph_text(self, rng) -> None:
        """A text graph."""
        self._use_graph(rng.choice(BYTES)(rng, self._text), ".pbtxt", rng.random() < _CONVERTED)

    def graph_nodes(self, rng) -> None:
        """A graph that ends between two nodes."""
        graph_def = self._graphs[rng.choice(list(self._graphs))]
        shorter = type(graph_def)()
        shorter.node.extend(graph_def.node[: rng.randrange(1, len(graph_def.node))])
        self._use_graph(shorter.SerializeToString(), ".pb", rng.random() < _CONVERTED)

    def _use_graph(self, data: bytes, suffix: str, convert: bool) -> None:
        path = self._write("g" + suffix, data)
        if not (self._convert and convert) or (len(data) > _TINY and suffix == ".pb"):
            loaded = load_graph(path)
            graph = Graph(loaded.graph_def, [info.name for info in loaded.outputs])
            with explained(loaded.graph_def):
                cut_at_inputs(graph, [info.name for info in loaded.inputs])
                optimize(graph)
                find_candidates(graph)
            return
        loaded = load_graph(path)
        feed = {info.name: _made_up(info) for info in loaded.inputs}
        GraphConverter(path, calibration_data=feed, threads=1).convert()

    def models(self, rng) -> None:
        """A SavedModel or a Keras file, with damage in one of its files."""
        if not self._models:
            with tempfile.TemporaryDirectory() as folder:
                self._models = seeds.models(folder)
        name = rng.choice(list(self._models))
        files = self._models[name]
        damaged = rng.choice(list(files))
        for path, data in files.items():
            full = os.path.join(self._folder, name, path) if path else os.path.join(self._folder, name)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "wb") as stream:
                stream.write(rng.choice(BYTES)(rng, data) if path == damaged else data)
        load_graph(os.path.join(self._folder, name))

    def graph_valid(self, rng) -> None:
        """A random network, converted and compared."""
        compared.check(rng, compared.random_graph(rng))

    def graph_changed(self, rng) -> None:
        """A graph of the readers with changes, which may leave it valid, converted and compared."""
        compared.check(rng, compared.changed_graph(rng, self._graphs[rng.choice(list(seeds.GRAPHS))]))

    # -- bytes ------------------------------------------------------------------------------------

    def bytes_of(self, reader: str, rng) -> None:
        """What a reader reads, damaged."""
        found = self._readers[reader]
        found.read(self._folder, mutate.damage(rng, rng.choice(found.seeds)))

    # -- data ------------------------------------------------------------------------------------

    def images(self, rng) -> None:
        """A folder of images, one of them damaged."""
        name = rng.choice(list(self._images))
        for other, data in self._images.items():
            self._write(other, rng.choice(BYTES)(rng, data) if other == name else data)
        self._use_data(self._folder, _IMAGE)

    def arrays(self, rng) -> None:
        """A .npy or .npz file."""
        path = os.path.join(self._folder, rng.choice(("a.npy", "a.npz")))
        values = np.arange(48, dtype=rng.choice((np.float32, np.uint8, np.int64))).reshape(8, 6)
        if path.endswith(".npy"):
            np.save(path, values)
        else:
            save = rng.choice((np.savez, np.savez_compressed))
            save(path, input=values, labels=np.arange(8))
        self._damage(rng, path)
        self._use_data(path, _ROWS)

    def records(self, rng) -> None:
        """A TFRecord file."""
        path = os.path.join(self._folder, "a.tfrecord")
        with tf.compat.v1.python_io.TFRecordWriter(path) as writer:
            for data in self._images.values():
                features = {
                    "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[data])),
                    "image/class/label": tf.train.Feature(int64_list=tf.train.Int64List(value=[1])),
                }
                example = tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
                writer.write(rng.choice(BYTES)(rng, example) if rng.random() < 0.2 else example)
        if rng.random() < 0.5:
            self._damage(rng, path)
        self._use_data(path, _IMAGE)

    def labels(self, rng) -> None:
        """A file of labels."""
        for name, data in self._images.items():
            self._write(name, data)
        text = rng.choice(("{} {}\n", "{},{}\n", "{}\t{}\n"))
        words = rng.choice((["0", "1", "2", "3"], ["²", "1", "٣", "3"], ["9" * 25, "1", "2", "3"], list("abcd")))
        lines = "".join(text.format(name, word) for name, word in zip(self._images, words))
        path = self._write(rng.choice(("l.txt", "l.csv", "l.tsv")), lines.encode())
        if rng.random() < 0.7:
            self._damage(rng, path)
        self._use_data(self._folder, _IMAGE, labels=path)

    def _damage(self, rng, path: str) -> None:
        with open(path, "rb") as stream:
            data = stream.read()
        with open(path, "wb") as stream:
            stream.write(rng.choice(BYTES)(rng, data))

    def _use_data(self, path: str, inputs, labels: str | None = None) -> None:
        data = open_dataset(path, inputs, 4, 0, 0, labels)
        for batch in data.feed(data.split.calibration, "none").batches():
            assert batch.feed

    def _write(self, name: str, data: bytes) -> str:
        path = os.path.join(self._folder, name)
        with open(path, "wb") as stream:
            stream.write(data)
        return path


KINDS = {
    "graph bytes": Cases.graph_bytes,
    "graph fields": Cases.graph_fields,
    "odd graphs": Cases.graph_odd,
    "text graph": Cases.graph_text,
    "cut between nodes": Cases.graph_nodes,
    "models": Cases.models,
    "images": Cases.images,
    "arrays": Cases.arrays,
    "TFRecords": Cases.records,
    "labels": Cases.labels,
    "valid graphs": Cases.graph_valid,
    "changed graphs": Cases.graph_changed,
    **{name: functools.partial(Cases.bytes_of, reader=name) for name in readers.NAMES},
}
COMPARED = ("valid graphs", "changed graphs")
"""Kinds whose cases take seconds."""


def _kind(rng) -> str:
    """Any kind; the slow ones seldom."""
    kind = rng.choice(list(KINDS))
    return rng.choice(list(KINDS)) if kind in COMPARED and rng.random() < 0.7 else kind


def _made_up(info: TensorInfo) -> np.ndarray:
    return synthetic_feed([info], Statistics())[0][info.name]


def outcome(action) -> str:
    """What came of an action: ``ok``, an expected error, or a finding with the place where it was raised."""
    try:
        action()
    except InvalidGraphError as error:
        return "!InvalidGraphError: " + _short(error.message)
    except compared.NotValidError:
        return "not valid"
    except BadInputError as error:
        return "BadInputError: " + _short(error.message) if error.message else "!an error without a message"
    except OutOfMemoryError as error:
        return "!out of memory: " + _short(error.message)
    except QuantizationError as error:
        return f"{type(error).__name__}: " + _short(error.message)
    except Exception as error:  # noqa: BLE001 - to tell which is what this is for
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if "intel_quantization" in frame.filename] or list(frames)
        place = f"{os.path.basename(ours[-1].filename)}:{ours[-1].lineno}"
        return f"!{type(error).__name__} at {place}: {_short(str(error))}"
    return "ok"


def _short(message: str) -> str:
    """A message without what differs from case to case."""
    first = message.split("\n", maxsplit=1)[0].encode("ascii", "backslashreplace").decode()  # some are no UTF-8
    text = re.sub(r"/\S*/", "", first)
    text = re.sub(r"'[^']*'|b\"[^\"]*\"|\"[^\"]*\"", "'…'", text)
    return re.sub(r"-?\d+", "N", text)[:90]
