"""Hostile and damaged inputs, through the real command: graphs, data, labels, statistics, programs, options, paths.

What needs TensorFlow or numpy is made inside, by hostile_make.py and what it imports.
"""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.faults import hostile_options, job_faults
from tests.faults.place import Place
from tests.faults.table import Row

_MARK = Path("/tmp/a_hostile_graph_ran")
_INSIDE = ("hostile_data.py", "hostile_graphs.py", "hostile_models.py", "hostile_make.py")
"""The last is what runs."""
_FEW = ("--samples", "4", "--evaluate", "4")
Expected = int | tuple[int, ...]


@dataclass(frozen=True)
class Hostile:
    """One input.

    Attributes:
        name: for the table.
        expected: the exit code, or those that are honest where it depends on who is first.
        words: further options; ``GRAPHS``, ``DATA`` and ``PLACE`` at their beginning become those folders.
        command: the sub-command, or none.
        prepare: called with the place, which is filled, before the run.
        check: called with the place after a run that ended with 0; what is wrong, or nothing.
    """

    name: str
    expected: Expected
    words: Sequence[str] = ()
    command: str = ""
    prepare: Callable[[Place], object] | None = None
    check: Callable[[Place], str] | None = None


def _graph(name: str, expected: Expected = 3, *more: str) -> Hostile:
    return Hostile(f"graph: {name}", expected, ("-g", f"GRAPHS/{name}", *_FEW, *more))


def _data(name: str, expected: Expected = 3, *more: str) -> Hostile:
    return Hostile(f"data: {name}", expected, ("-d", f"DATA/{name}", *_FEW, *more))


def _labels(name: str, expected: Expected = 3, *more: str) -> Hostile:
    return Hostile(
        f"labels: {name}",
        expected,
        ("-d", "PLACE/flat", "--labels", f"DATA/{name}", "--samples", "2", "--evaluate", "2", *more),
        prepare=_flat,
    )


def _metric(name: str, expected: Expected = 3, *more: str, file: str = "programs.py") -> Hostile:
    return Hostile(f"evaluate --metric {file}:{name}", expected, ("--metric", f"DATA/{file}:{name}", *more), "evaluate")


def _feeds(name: str, expected: Expected = 3, file: str = "programs.py") -> Hostile:
    return Hostile(f"--data_function {file}:{name}", expected, ("--data_function", f"DATA/{file}:{name}", *_FEW))


def _callback(what: str, expected: Expected) -> Hostile:
    command = f"python3 /workspace/models_source_dir/runs.py {what} --in-graph {{}}"
    return Hostile(f"a callback that {what}", expected, ("-s", "DATA/program", "--callback", command, "--samples", "4"))


def _flat(place: Place) -> None:
    """The images without class folders, by the names that the files of labels have."""
    (place.folder / "flat").mkdir()
    for number, image in enumerate(sorted((place.folder / "images").rglob("*.png"))[:4]):
        (place.folder / "flat" / f"{number}.png").write_bytes(image.read_bytes())


def _path(name: str, option: str, make: Callable[[Path], object], expected: Expected = 3, command: str = "") -> Hostile:
    """Something else than a file, or a folder, where one should be."""
    return Hostile(
        f"{option} is {name}",
        expected,
        (option, "PLACE/odd" + (":x" if option == "--metric" else "")),
        command,
        lambda place: make(place.folder / "odd"),
    )


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.fspath(path))


def _with_fifo(path: Path) -> None:
    path.mkdir()
    os.mkfifo(path / "0.png")


def _mixed(path: Path) -> None:
    """Images among which is a fifo, a device, and a link to a file of the machine."""
    path.mkdir()
    os.mkfifo(path / "fifo.png")
    (path / "device.png").symlink_to("/dev/zero")
    (path / "passwd.png").symlink_to("/etc/passwd")


def _keeps(word: bytes) -> Callable[[Place], str]:
    """That an op is still in the INT8 graph: it was not evaluated."""
    return lambda place: "" if word in place.output.read_bytes() else f"{word.decode()} was folded"


def _hard_linked(place: Place) -> None:
    os.link(place.output, place.folder / "the_users_own")


def _linked_folder(place: Place) -> None:
    place.output.rename(place.folder / "out.pb")
    place.output.parent.rmdir()
    place.output.parent.symlink_to(place.folder / "elsewhere")
    (place.folder / "elsewhere").mkdir()
    (place.folder / "out.pb").rename(place.output)


_OWNED = "\x1b]0;owned\x07\x1b[2J.pb"


def _named(place: Place) -> None:
    (place.folder / _OWNED).write_bytes((place.folder / "net.pb").read_bytes())


def _obeyed(folder: Path) -> str:
    """Which texts that people look at in a terminal hold what it obeys."""
    texts = [path for suffix in ("md", "json") for path in folder.glob(f"int8*.{suffix}")]
    bad = [path for path in texts if not path.read_text("utf-8").replace("\n", "").replace("\t", "").isprintable()]
    return f"{len(bad)} of {len(texts)} texts hold escapes" if bad or not texts else ""


_EFFECTS = ("reads_a_file", "lists_files", "writes_a_file", "prints_to_a_file", "saves", "restores", "calls_python")
_EFFECTS += ("calls_eager_python", "aborts", "reads_records", "writes_in_a_function", "folds_a_file")
_DAMAGED = ("billion_laughs", "recursion", "cut", "cut_between_nodes", "no_dtype", "wrong_shape", "unknown_type")
_DAMAGED += ("unknown_op", "circle", "two_of_a_name", "immense_input", "no_input", "escapes_in_names", "long_name")
_DAMAGED += ("version_of_tomorrow", "empty", "a_text", "random", "two_inputs")
_DAMAGED += ("nan_weights", "infinite_weights")

INPUTS: tuple[Hostile, ...] = (
    *(_graph(f"{name}.pb") for name in _EFFECTS + _DAMAGED),
    *(
        _graph(name)
        for name in (
            "lambda.h5",
            "lambda.keras",
            "bomb.keras",
            "cut_variables",
            "no_variables",
            "reads_in_a_saved_model",
        )
    ),
    _graph("nested.pbtxt"),
    _graph("fills_memory.pb", 9),
    _graph("grows_when_run.pb", 9),
    _graph("loops_for_ever.pb", 10, "--stall_timeout", "40s"),
    _graph("waits_for_ever.pb", 10, "--stall_timeout", "40s"),
    _graph("long_chain.pb", 0),
    replace(
        _graph("folds_a_file.pb", 0, "--allow_op", "ReadFile"),
        name="a file is read, allowed",
        check=_keeps(b"ReadFile"),
    ),
    Hostile("evaluate: a Lambda", 3, ("-g", "GRAPHS/lambda.h5"), "evaluate"),
    Hostile("benchmark: a file is read", 3, ("-g", "GRAPHS/reads_a_file.pb"), "benchmark"),
    Hostile("benchmark: recursion", 3, ("-g", "GRAPHS/recursion.pb"), "benchmark"),
    Hostile("benchmark: no end", 10, ("-g", "GRAPHS/loops_for_ever.pb", "--stall_timeout", "40s"), "benchmark"),
    Hostile("compare: the other is a Lambda", 3, ("--other_graph", "GRAPHS/lambda.keras"), "compare"),
    Hostile("compare: the other writes a file", 3, ("--other_graph", "GRAPHS/writes_a_file.pb"), "compare"),
    Hostile("compare: the other is cut", 3, ("--other_graph", "GRAPHS/cut.pb"), "compare"),
    Hostile("compare: the other has two inputs", 3, ("--other_graph", "GRAPHS/two_inputs.pb"), "compare"),
    Hostile("compare: the other takes another shape", 3, ("--other_graph", "GRAPHS/other_shape.pb"), "compare"),
    Hostile("compare: names with escapes", 3, ("--other_graph", "GRAPHS/escapes_in_names.pb"), "compare"),
    Hostile("compare: a file's name with escapes", 0, ("--other_graph", f"PLACE/{_OWNED}"), "compare", prepare=_named),
    Hostile(
        "a graph's and a result's name with escapes",
        0,
        ("-g", f"PLACE/{_OWNED}", "-o", f"PLACE/int8{_OWNED}", *_FEW),
        prepare=_named,
        check=lambda place: _obeyed(place.folder),
    ),
    # TensorFlow's Relu makes zeros of NaN or leaves them, by its kernel
    Hostile("evaluate: the other has NaN as weights", (0, 8), ("--other_graph", "GRAPHS/nan_weights.pb"), "evaluate"),
    Hostile("tune: a file is read", 3, ("-g", "GRAPHS/reads_a_file.pb", "--tune")),
    *(_data(name) for name in ("immense_gif", "immense_png", "negative_bmp", "text_as_png", "cut_png")),
    _data("inflating_png", 0),  # what is behind the last row is not read
    _data("odd_classes", 0),
    _data("escapes_in_names"),
    *(_data(f"{name}.npy") for name in ("lies", "negative", "nothing", "objects", "empty", "not_finite")),
    _data("huge_values.npy", (0, 3)),
    *(_data(f"{name}.npz") for name in ("damaged", "encrypted", "bomb")),
    *(_data(f"{name}.tfrecord") for name in ("wrong_crc", "endless")),
    _labels("long_numbers.txt"),
    _labels("odd_digits.txt", 0),  # names, numbered in their order
    _labels("long_field.csv"),
    _labels("empty_labels.npy"),
    _labels("binary.txt"),
    *(_labels(f"coco_{name}.json") for name in ("huge_class", "infinite", "no_width", "nested", "of_a_list")),
    _labels("coco.json", 0),
    _labels("maps_that_lie", (0, 3)),
    _labels("maps_of_negatives", (0, 3)),
    _labels("maps_of_immense", (0, 3)),
    *(
        Hostile(f"statistics: {name}", 3, ("--statistics", f"DATA/{name}"))
        for name in (
            "other_graph.json",
            "nested_statistics.json",
            "no_statistics.json",
            "no_statistics.npz",
            "bomb_statistics.npz",
        )
    ),
    *(_metric(name) for name in ("fails", "ends", "says_nothing", "says_nan", "says_much", "wanders", "missing")),
    _metric("good", 0),
    _metric("ends_at_once", 8),
    _metric("kills", 8),
    _metric("forges", 8),
    _metric("sleeps", 10, "--stall_timeout", "40s"),
    _metric("good", 3, file="ends.py"),
    _metric("good", 3, file="no_python.py"),
    _metric("good", 0, file="floods.py"),
    _feeds("feeds", 0),
    *(_feeds(name) for name in ("feeds_nothing", "feeds_other", "feeds_objects", "feeds_nan", "feeds_and_ends")),
    _callback("runs", 0),
    _callback("forges", 3),
    _callback("plants", (0, 11)),
    _callback("scribbles", (0, 11)),
    _callback("floods", 0),
    *(
        _path(name, "-g", make)
        for name, make in (("a fifo", os.mkfifo), ("a socket", _socket), ("an empty folder", os.mkdir))
    ),
    _path("a device", "-g", lambda path: path.symlink_to("/dev/zero")),
    _path("a link to itself", "-g", lambda path: path.symlink_to(path)),
    _path("a fifo", "--other_graph", os.mkfifo, command="compare"),
    _path("a fifo", "-d", os.mkfifo),
    _path("a folder with a fifo as image", "-d", _with_fifo),
    _path("a folder of fifos, devices and links", "-d", _mixed),
    _path("a link to itself", "-d", lambda path: path.symlink_to(path)),
    _path("a fifo", "--labels", os.mkfifo),
    _path("a folder of maps with a fifo", "--labels", _with_fifo),
    _path("a fifo", "--statistics", os.mkfifo),
    _path("a device", "--statistics", lambda path: path.symlink_to("/dev/zero")),
    Hostile(
        "the output is a file of two names",
        0,
        _FEW,
        prepare=_hard_linked,
        check=lambda place: _is_old(place, "the_users_own"),
    ),
    Hostile("the output's folder is a link", 0, _FEW, prepare=_linked_folder),
)


def _is_old(place: Place, name: str) -> str:
    from tests.faults.place import OLD

    return "" if (place.folder / name).read_bytes() == OLD else "what else is called so was changed"


def rows(runtime: str, skip: Callable[[str], bool]) -> Iterator[Row]:
    """Run the launcher once for each input; ``skip`` is asked by their names."""
    wanted = [each for each in INPUTS if not skip(each.name)]
    yield from hostile_options.rows(runtime, skip)
    if not wanted:
        return
    with tempfile.TemporaryDirectory(prefix="inputs-") as name:
        folder = Path(name)
        job_faults.run_inside(runtime, folder, _making())
        for number, hostile in enumerate(wanted):
            inside = folder / f"{number:03d}"
            inside.mkdir()
            yield _row(hostile, Place(inside, runtime, dict(os.environ)), folder)


def _making() -> str:
    """The bash script that makes all inputs."""
    lines = ["set -e", "cd $(mktemp -d)"]
    for name in _INSIDE:
        text = Path(__file__).with_name(name).read_text("utf-8")
        lines += [f"cat > {name} <<'PYTHON'", text, "PYTHON"]
    return "\n".join([*lines, f"python3 {_INSIDE[-1]}", ""])


def _placed(word: str, folders: Mapping[str, Path]) -> str:
    for name, folder in folders.items():
        if word.startswith(name):
            return f"{folder}/{word[len(name) :]}"
    return word


def _row(hostile: Hostile, place: Place, made: Path) -> Row:
    place.fill(made / "graphs" / "plain.pb")
    if hostile.prepare is not None:
        hostile.prepare(place)
    folders = {"GRAPHS/": made / "graphs", "DATA/": made / "data", "PLACE/": place.folder}
    words = [_placed(word, folders) for word in hostile.words]
    elsewhere = place.folder if "-o" in hostile.words else None
    row = place.run(hostile.name, hostile.expected, *words, output=elsewhere, command=hostile.command)
    found = []
    if _MARK.exists():
        _MARK.unlink()
        found.append("a graph wrote a file of this machine")
    if row.code == 0 and hostile.check is not None:
        found += filter(None, [hostile.check(place)])
    return replace(row, complaints=(*row.complaints, *found))
