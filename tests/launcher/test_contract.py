"""The contract: one folder for both sides, and all that is made of its table agrees."""

from __future__ import annotations

import ast
import json
import os
import sys
import zipfile
from pathlib import Path

import jsonschema
import pytest

from launch_quantization.contract import cpu, events, failures, groups, job, outputs, report, values
from launch_quantization.contract import option as options_table
from launch_quantization.contract.commands import COMMANDS, RUN
from launch_quantization.contract.groups import GROUPS
from launch_quantization.contract.json_schema import SCHEMAS
from launch_quantization.contract.nearest import did_you_mean
from launch_quantization.contract.option import Option, options_of
from launch_quantization.contract.options import JobOptions
from launch_quantization.contract.words import ALGORITHMS
from launch_quantization.job.validation import checked_job
from tests.launcher.stream.test_events import GOOD
from tests.launcher.support import options

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "quantization" / "intel_quantization" / "contract"
SCHEMA_FILES = {name: HERE / "schemas" / f"{name}.schema.json" for name in SCHEMAS}

TEXTS = {
    "FILE.py:NAME": "{0}/feed.py:batches",
    "DIR": "{0}/folder",
    "FILE": "{0}/file",
    "PATH": "{0}/file",
    "A,B": "a,b",
    "N": "3",
    "X[,Y,Z]": "1,2,3",
    "RULE": "pad:114",
    "VERSION": "1.15",
    "VARIANT": "2.14",
    "BOOL": "false",
    "IMAGE": "image:tag",
    "SIZE": "8g",
    "TIME": "15m",
    "POINTS": "0.5",
    "COMMAND": "python infer.py {{}}",
}
"""By what stands for a value in the help: a value of another kind than the default."""


def example(option: Option, folder: Path) -> list[str]:
    """The option, given on a command line."""
    if option.name == "out_graph":
        return ["--out_graph", f"{folder}/out.pb"]
    if option.value.is_flag:
        return [f"--{option.name}"]
    text = option.value.choices[-1] if option.value.choices else TEXTS.get(option.metavar, "name").format(folder)
    return [f"--{option.name}={text}"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "file").write_text("{}")
    (tmp_path / "feed.py").write_text("def batches(): ...")
    (tmp_path / "folder").mkdir()
    return tmp_path


def test_both_sides_have_the_same_files() -> None:
    link = ROOT / "launcher" / "contract"
    assert os.readlink(link) == "../quantization/intel_quantization/contract"
    assert Path(job.__file__).resolve() == HERE / "job.py"


@pytest.mark.parametrize("path", sorted(HERE.glob("*.py")), ids=lambda path: path.stem)
def test_it_imports_nothing_but_itself_and_is_of_python_3_7(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"), feature_version=(3, 7))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= sys.stdlib_module_names
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 1 or str(node.module).split(".")[0] in sys.stdlib_module_names


@pytest.mark.parametrize("option", options_of(JobOptions), ids=lambda option: option.name)
def test_an_option_crosses_the_wall_as_it_was_given(option: Option, folder: Path) -> None:
    """From the command line to the strict parser inside, and by the published schema."""
    needed = [] if option.name == "in_graph" else ["-g", f"{folder}/file"]
    others = {"labels": ["-d", f"{folder}/file"], "callback": ["-d", f"{folder}/file"]}
    others.update(metric=["-d", f"{folder}/file"], task=["--other_graph", f"{folder}/file"])
    others.update(other_graph=["--task", "compare"], recipe=["--task", "benchmark"])
    zoo = option.name.startswith("model") and option.name != "models_zoo"
    words = [*needed, *others.get(option.name, []), *(["-z", f"{folder}/folder"] if zoo else []), "--dry_run"]
    written = checked_job(options(*words, *example(option, folder))).inside()

    read = job.parse(json.dumps(written))

    assert job.as_json(vars(read)) == written
    assert getattr(read, option.name) != option.default
    jsonschema.validate(written, SCHEMAS["job"]())


@pytest.mark.parametrize("option", options_of(RUN.table), ids=lambda option: option.name)
def test_a_row_of_the_table_is_whole(option: Option) -> None:
    assert option.group in GROUPS
    assert option.help[-1] not in ".;"
    assert not option.value.is_switch or option.default is True


def test_a_name_means_one_thing_in_a_command() -> None:
    for command in COMMANDS:
        words = [word for one in options_of(command.table) for word in one.spellings + one.negations]
        assert len(words) == len(set(words))


def test_schemas_are_schemas_and_are_kept() -> None:
    for name, make in SCHEMAS.items():
        jsonschema.Draft202012Validator.check_schema(make())
        assert json.loads(SCHEMA_FILES[name].read_text("utf-8")) == make()


@pytest.mark.parametrize(
    "changes", [{"sampels": 3}, {"samples": 0}, {"schema": 2}, {"in_graph": None}, {"inputs": "a"}, {"algo": "max"}]
)
def test_the_schema_refuses_what_the_parser_refuses(changes: dict[str, object]) -> None:
    text = {"schema": 1, "in_graph": "a.pb", "out_graph": "output/b.pb", **changes}
    with pytest.raises(job.BadJobError):
        job.parse(json.dumps(text))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(text, SCHEMAS["job"]())


@pytest.mark.parametrize("name", events.EVENTS)
def test_events_are_as_their_schema_says(name: str) -> None:
    whole = {"event": name, "time": 1.5, **GOOD[name]}
    jsonschema.validate(whole, SCHEMAS["event"]())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"event": name, "time": "now", **GOOD[name]}, SCHEMAS["event"]())


def test_a_real_report_is_as_its_schema_says() -> None:
    example = json.loads((ROOT / "docs/reference/report-example.json").read_text("utf-8"))
    jsonschema.validate(example, SCHEMAS["report"]())
    del example["provenance"]["sha256"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(example, SCHEMAS["report"]())


def test_what_a_report_tells_of_the_options() -> None:
    told = {option.name for option in report.TOLD_OPTIONS}
    untold = {option.name for option in options_of(JobOptions)} - told
    assert untold == {"in_graph", "out_graph", "data_location", "models_zoo", "models_source_dir", "other_graph"}
    assert set(report.MOUNTED_FILES) == {"labels", "statistics", "data_function", "metric", "models_config"}


def test_codes_and_kinds_are_told_apart() -> None:
    assert len({one.code for one in failures.FAILURES}) == len(failures.FAILURES)
    assert len({one.kind for one in failures.FAILURES}) == len(failures.FAILURES)
    assert [one.code for one in failures.FAILURES] == sorted(one.code for one in failures.FAILURES)


def test_names_that_a_manifest_may_list() -> None:
    names = outputs.listed_names("a+b")
    for name in ("a+b.pb", "a+b.report.html", "a+b.model_explorer.json", "a+b.intermediate/01_x.pb"):
        assert names.fullmatch(name)
    for name in ("aab.pb", "a+b.manifest.json", "a+b.intermediate/.x.pb", "a+b.intermediate/../x.pb", "x/a+b.pb"):
        assert not names.fullmatch(name)
    assert outputs.stem_of("v1.5.pb") == "v1.5"


@pytest.mark.parametrize(
    ("word", "found"),
    [("DIRCT", "did you mean DIRECT?"), ("zzzz", "choose"), ("", "choose"), ("KLL", "did you mean KL?")],
)
def test_what_a_misspelt_word_may_mean(word: str, found: str) -> None:
    assert did_you_mean(word, ALGORITHMS, "choose") == found
    assert did_you_mean("conv_", ["conv1"], quoted=True) == "did you mean 'conv1'?"


def test_cpu_flags() -> None:
    text = "processor : 0\nflags\t\t: fpu amx_int8 avx avx512_bf16 sse\nbugs : x\nflags : avx2\n"
    assert cpu.flags_of(text) == ["avx", "avx512_bf16", "amx_int8"]
    assert cpu.flags_of("") == []
    assert "no INT8 dot products, VNNI or AMX (avx, avx2)" in cpu.what_int8_can_win(["avx", "avx2"])
    assert cpu.what_int8_can_win([]).startswith("this CPU has no INT8 dot products, VNNI or AMX (no AVX)")
    assert "(avx512_vnni): INT8 multiplies up to 4 times as fast as FP32;" in cpu.what_int8_can_win(["avx512_vnni"])
    assert "(avx512_vnni, amx_int8)" in cpu.what_int8_can_win(["avx", "avx512_vnni", "amx_int8"])
    assert "with AMX more" in cpu.what_int8_can_win(["amx_int8"])
    assert [cpu.has_int8([flag]) for flag in ("avx2", "avx512f", "avx_vnni", "amx_bf16")] == [False, False, True, False]


def test_an_installed_launcher_has_it(tmp_path: Path) -> None:
    """In the wheel it stands twice: in the package, and in what an image is built from."""
    from hatchling.builders.wheel import WheelBuilder

    (name,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    names = zipfile.ZipFile(name).namelist()
    files = [path.relative_to(HERE).as_posix() for path in [*HERE.glob("*.py"), *SCHEMA_FILES.values()]]
    for file in files:
        assert f"launch_quantization/contract/{file}" in names
        assert f"launch_quantization/_context/quantization/intel_quantization/contract/{file}" in names


@pytest.mark.parametrize(("value", "default"), [(values.SWITCH, False), (values.SWITCH, None), (values.FLAG, True)])
def test_a_boolean_that_could_not_be_changed_is_refused(value: values.Value, default: bool | None) -> None:
    with pytest.raises(ValueError, match="by default"):
        options_table.option(value, "say hello", groups.GRAPH, default=default)
