"""Are the INT8 graphs of two trees the same, byte for byte? For changes that must not show.

Both trees convert the same graphs with the same few samples, options and one thread: the graphs of ../shared (those
that are there), the networks of graphs_random.py, and small random networks of all supported ops. A conversion that
fails counts by its message. Graphs and samples are made once, by this tree; what a clean tree gave is kept by its
commit.

Usage: byte_identity.py OLD NEW [NAME ...] [--small N] [--keep DIR] [--image IMAGE]
  OLD NEW  worktrees
  NAME     parts of names; all without any
  --small  how many small random networks (60)
  --keep   graphs, samples and hashes stay there for the next run
  --image  convert in containers of that image, as the Docker runtime would, instead of by this Python
The exit status is 1 where anything differs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
TREE = HERE.parents[1]
SAMPLES, BATCH, SMALL_BATCHES = 8, 4, 3
SMALL = "small"
OPTIONS: dict[str, dict] = {
    "AUTO, per channel": {"algo": "AUTO", "per_channel": True},
    "KL, for 1.15": {"algo": "KL", "target_tensorflow": "1.15"},
}


# -- in processes of their own: what is converted -------------------------------------------------


def prepare(name: str, folder: Path) -> None:
    """Write ``fp32.pb`` and ``samples.npz``: one array a batch, for the input of that name."""
    if name.startswith("real "):
        tensor, batches = _real(name[5:], folder)
    else:
        tensor, batches = _random(name, folder)
    np.savez(folder / "samples.npz", **{f"{number} {tensor}": value for number, value in enumerate(batches)})


def _real(name: str, folder: Path) -> tuple[str, list[np.ndarray]]:
    import real_data
    from real_graphs import CASES

    case = next(case for case in CASES if case.graph == name)
    (folder / "fp32.pb").write_bytes(case.path.read_bytes())
    samples = real_data.load(case, folder)
    feed = real_data.Feed(case, samples, np.arange(min(SAMPLES, len(samples))), min(case.batch, BATCH))
    return case.source, [next(iter(fed.values())) for fed in feed]


def _random(name: str, folder: Path) -> tuple[str, list[np.ndarray]]:
    from graphs_random import NETS

    from tests.quantization.nets.layers import freeze

    net = next(net for net in NETS if net.name == name)
    pictures = net.pictures(SAMPLES, 1)
    (folder / "fp32.pb").write_bytes(freeze(net.build(), {net.input: pictures}).SerializeToString())
    return net.input, [pictures[start : start + BATCH] for start in range(0, SAMPLES, BATCH)]


def prepare_small(folder: Path, count: int) -> None:
    """Write a folder of its own for each small network."""
    from tests.quantization.builders import build
    from tests.quantization.random_nets import LAYERS, network

    for number in range(count):
        place = folder / f"{number:03d}"
        place.mkdir(exist_ok=True)
        draw = random.Random(number)
        plan = [(draw.choice(LAYERS), draw.randrange(8)) for _ in range(draw.randint(2, 8))]
        graph_def = build(network, plan, draw.random() < 0.5, draw.random() < 0.5)
        (place / "fp32.pb").write_bytes(graph_def.SerializeToString())
        values = np.random.RandomState(number)
        batches = [values.normal(0, 1, (BATCH, 8, 8, 4)).astype(np.float32) for _ in range(SMALL_BATCHES)]
        np.savez(place / "samples.npz", **{f"{index} input:0": value for index, value in enumerate(batches)})


# -- in processes of their own, by the tree that is judged ----------------------------------------


def convert(folder: Path) -> dict[str, str]:
    """What comes of a graph with each of OPTIONS: a hash, or the message of the error."""
    from intel_quantization.errors import QuantizationError
    from intel_quantization.graph_converter import GraphConverter

    with np.load(folder / "samples.npz") as samples:
        data = [{key.partition(" ")[2]: samples[key]} for key in samples.files]
    found = {}
    for title, options in OPTIONS.items():
        try:
            result = GraphConverter(str(folder / "fp32.pb"), calibration_data=data, threads=1, **options).convert()
            found[title] = hashlib.sha256(result.graph.SerializeToString(deterministic=True)).hexdigest()
        except QuantizationError as error:
            found[title] = error.message
    return found


# -- the process that asks for it -----------------------------------------------------------------


def run(tree: Path, arguments: list[str], image: str = "") -> str:
    """What a part of this script prints last, with the package of a tree; in a container where an image is named."""
    path = os.pathsep.join([str(tree / "quantization"), str(TREE), os.environ.get("PYTHONPATH", "")])
    settings = {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONDONTWRITEBYTECODE": "1"}
    part = [str(HERE / "byte_identity.py"), "--part", *arguments]
    command = [*_in_container(image, [tree, TREE, arguments[1]], settings), *part] if image else [sys.executable, *part]
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, **settings})
    return process.stdout.splitlines()[-1] if process.stdout else ""


def _in_container(image: str, folders: list[Path | str], settings: dict[str, str]) -> list[str]:
    """The beginning of a command that runs the image's Python on folders that have the same names inside."""
    words = ["docker", "run", "--rm", "--network=none", "--user=root", "--entrypoint=nice"]
    for folder in dict.fromkeys(str(Path(each).resolve()) for each in folders):
        words.append(f"--volume={folder}:{folder}:ro")
    words += [f"--env={name}={value}" for name, value in settings.items()]
    return [*words, image, "-n", str(os.nice(0)), "python3"]


def converted(tree: Path, folder: Path, image: str = "") -> dict[str, dict[str, str]]:
    """The results of a folder's graphs, by a tree; those of a clean one are kept."""
    commit = _commit(tree)
    kept = folder / f"{commit}{'.' + image.replace(':', '-').replace('/', '-') if image else ''}.json"
    if commit and kept.is_file():
        return json.loads(kept.read_text())
    text = run(tree, ["convert", str(folder)], image)
    if commit:
        kept.write_text(text)
    return json.loads(text)


def _commit(tree: Path) -> str:
    """The commit of a tree whose package has no changes since; empty for another."""
    git = ["git", "-C", str(tree)]
    if subprocess.run([*git, "status", "--porcelain", "quantization"], capture_output=True, check=True).stdout:
        return ""
    return subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()


def names() -> list[str]:
    """All graphs: the random networks, and the real ones that are there."""
    from graphs_random import NETS
    from real_graphs import CASES

    return [SMALL, *(f"real {case.graph}" for case in CASES if case.path.is_file()), *(net.name for net in NETS)]


def compare(old: Path, new: Path, folder: Path, name: str, image: str = "") -> int:
    """Print a line for each conversion of a name, one for all small networks; returns how many differ."""
    before, after = converted(old, folder, image), converted(new, folder, image)
    differing = [(graph, title) for graph in before for title in OPTIONS if before[graph][title] != after[graph][title]]
    rows = differing if name == SMALL else [(graph, title) for graph in before for title in OPTIONS]
    for graph, title in rows:
        first, second = before[graph][title], after[graph][title]
        same = "same" if first == second else "DIFFERS"
        print(f"{same:8}{name} {graph}".ljust(56), f"{title:18} {first[:12]} {second[:12]}", flush=True)
    if name == SMALL:
        print(
            f"{'':8}{len(before)} small networks, {len(differing)} of {len(before) * len(OPTIONS)} differ", flush=True
        )
    return len(differing)


def part(action: str, place: str, *rest: str) -> None:
    """What a process of its own does."""
    folder = Path(place)
    if action == "prepare" and rest[0] == SMALL:
        prepare_small(folder, int(rest[1]))
    elif action == "prepare":
        prepare(rest[0], folder)
    else:
        places = sorted(path.parent for path in folder.glob("**/fp32.pb"))
        print(json.dumps({str(path.relative_to(folder)).lstrip("."): convert(path) for path in places}))


def main() -> int:
    """Returns the exit status."""
    if sys.argv[1:2] == ["--part"]:
        part(*sys.argv[2:])
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--small", type=int, default=60, metavar="N")
    parser.add_argument("--keep", type=Path, metavar="DIR")
    parser.add_argument("--image", default="", metavar="IMAGE")
    options = parser.parse_args()
    wanted = [name for name in names() if not options.names or any(text in name for text in options.names)]
    if not wanted:
        parser.error("no such graph here: " + ", ".join(options.names))
    differ = 0
    with tempfile.TemporaryDirectory() as temporary:
        for name in wanted:
            title = f"{SMALL} {options.small}" if name == SMALL else name
            folder = (options.keep or Path(temporary)) / title.replace(" ", "_")
            if not folder.is_dir():
                folder.mkdir(parents=True)
                run(
                    TREE,
                    ["prepare", str(folder), *title.split(" ", 1)] if name == SMALL else ["prepare", str(folder), name],
                )
            differ += compare(options.old.resolve(), options.new.resolve(), folder, name, options.image)
    print("all the same" if not differ else f"{differ} differ")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
