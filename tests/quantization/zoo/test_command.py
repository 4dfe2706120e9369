"""The commands of all models, as the parsers of three tags of the zoo read them."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from intel_quantization.errors import BadInputError
from intel_quantization.zoo.command import env_words, zoo_words
from intel_quantization.zoo.config import default_file, load_entries
from tests.standin_zoo import OPTIONS, parser_source

# What the zoo calls them, and the arguments for the model, which each of their parsers knows.
EXPECTED = {
    "resnet50": ("resnet50", []),
    "resnet50v1_5": ("resnet50v1_5", []),
    "resnet101": ("resnet101", []),
    "inceptionv3": ("inceptionv3", []),
    "mobilenet_v1": (
        "mobilenet_v1",
        ["input_height=224", "input_width=224", "input_layer=input", "output_layer=MobilenetV1/Predictions/Reshape_1"],
    ),
    "ssd_mobilenet": ("ssd-mobilenet", []),
    "ssd_resnet34": ("ssd-resnet34", []),
    "faster_rcnn": ("faster_rcnn", []),
    "rfcn": ("rfcn", ["split=accuracy_message"]),
}
ENTRIES = load_entries(default_file())


@pytest.fixture(name="place")
def _place(tmp_path):
    for name in ("zoo", "sources", "logs", "data"):
        (tmp_path / name).mkdir()
    (tmp_path / "data" / "validation-00000-of-00001").touch()
    (tmp_path / "graph.pb").touch()
    return tmp_path


def words(entry, place, **changes):
    data = place / "data"
    given = {
        "data": str(data / "validation-00000-of-00001" if entry.data == "file" else data),
        "sources": str(place / "sources"),
        "output_dir": str(place / "logs"),
        "threads": 3,
        **changes,
    }
    return zoo_words(entry, str(place / "zoo"), **given)


def named(name):
    return next(entry for entry in ENTRIES if entry.name == name)


@pytest.mark.parametrize("tag", OPTIONS)
@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: "%s-%s" % (entry.name, entry.tags.split()[0]))
def test_each_command_is_read_as_meant(entry, tag, place):
    made = words(entry, place)
    assert made[:2] == (sys.executable, str(place / "zoo" / "benchmarks" / "launch_benchmark.py"))
    assert sum("{}" in word for word in made) == 1
    scope: dict = {}
    exec(parser_source(tag), scope)

    args, unknown = scope["make_parser"]().parse_known_args(
        [word.replace("{}", str(place / "graph.pb")) for word in made[2:]]
    )

    model, arguments = EXPECTED[entry.name]
    assert (args.model_name, args.framework, args.mode) == (model, "tensorflow", "inference")
    assert args.precision in ("fp32", "int8")
    assert args.accuracy_only
    assert args.in_graph == str(place / "graph.pb")
    assert args.data_location.startswith(str(place / "data"))
    assert (args.model_source_dir == str(place / "sources")) == bool(entry.model_source_dir)
    assert (args.disable_tcmalloc, args.output_dir) == ("True", str(place / "logs"))
    assert (args.num_intra_threads, args.num_inter_threads) == ("3", "1")
    assert args.socket_id is None  # that would want numactl, and a NUMA node
    given = sorted(word.lstrip("-") for word in args.model_args + unknown)
    assert given == sorted([*arguments, "NOINSTALL=True"])


def test_a_batch_size_replaces_the_entrys(place):
    assert "7" in words(named("resnet50"), place, batch_size=7)
    assert "10" not in words(named("resnet50"), place, batch_size=7)
    made = words(named("rfcn"), place, batch_size=1)
    assert made[made.index("--batch-size") + 1] == "1"


def test_what_the_users_file_says_stays(place, tmp_path):
    path = tmp_path / "models.json"
    path.write_text(
        '[{"MODEL_NAME": "m", "LAUNCH_BENCHMARK_PARAMS": {"LAUNCH_BENCHMARK_SCRIPT": "a.py", "LAUNCH_BENCHMARK_CMD": '
        '[" --disable-tcmalloc=False", "--batch-size=5"], "IN_GRAPH": "-g {}"}, "QUANTIZE_GRAPH_CONVERTER_PARAMS": {}}]'
    )
    made = words(load_entries(str(path))[0], place, data=None, sources=None, batch_size=6)
    assert "--disable-tcmalloc=False" in made
    assert "--disable-tcmalloc" not in made
    assert "--batch-size=6" in made


@pytest.mark.parametrize("spelling", ["--socket-id 0", "--socket-id=0", "-i 0"])
def test_nothing_is_bound_to_a_socket(place, spelling):
    entry = named("resnet50")
    bound = replace(entry, command=(*entry.command[:2], *spelling.split(), *entry.command[2:]))
    assert words(bound, place) == words(entry, place)


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("resnet50", {"data": None}, "resnet50 needs data"),
        ("ssd_mobilenet", {"sources": None}, "ssd_mobilenet needs sources of TensorFlow models"),
        ("resnet50", {"output_dir": "/a b"}, "cannot take the path /a b: it has ' ' in it"),
        ("resnet50", {"output_dir": "/$(x)"}, "cannot take the path"),
    ],
)
def test_what_is_missing_or_dangerous(place, name, changes, said):
    with pytest.raises(BadInputError) as caught:
        words(named(name), place, **changes)
    assert said in caught.value.message


def test_data_of_the_wrong_kind(place):
    record, folder = place / "data" / "validation-00000-of-00001", place / "data"
    with pytest.raises(BadInputError, match=r"reads a folder of TFRecords, and .* is a file"):
        words(named("resnet50"), place, data=str(record))
    with pytest.raises(BadInputError, match=r"reads one TFRecord file, and .* is a folder"):
        words(named("rfcn"), place, data=str(folder))
    record.unlink()
    with pytest.raises(BadInputError, match=r"has no files validation-\*-of-\*"):
        words(named("resnet50"), place, data=str(folder))


def test_environment_variables_come_first():
    assert env_words({"B": "2", "A": "1"}, ("python", "x")) == ("env", "A=1", "B=2", "python", "x")
