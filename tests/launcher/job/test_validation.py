from __future__ import annotations

import os
from pathlib import Path

import pytest

from launch_quantization.errors import BadInputError, LauncherError, OutputRefusedError, UsageError
from launch_quantization.job.input_graph import GRAPH_LIMIT
from launch_quantization.job.validation import checked_job
from tests.launcher.support import options


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images" / "cats"
    folder.mkdir(parents=True)
    (folder / "a.png").write_bytes(b"png")
    return folder.parent


def refused(*argv: object) -> LauncherError:
    with pytest.raises(LauncherError) as caught:
        checked_job(options(*argv))
    assert "\n" not in caught.value.message + caught.value.remedy
    return caught.value


def test_the_output_is_beside_the_input(graph: Path, images: Path) -> None:
    job = checked_job(options("-g", graph, "-d", images))
    assert job.out_graph == graph.with_name("net_int8.pb")
    assert (job.stem, job.per_channel, job.tensorflow) == ("net_int8", True, "2.14")


def test_relative_paths_become_absolute(graph: Path, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(graph.parent)
    job = checked_job(options("-g", "net.pb", "-d", "images", "-o", "out.pb"))
    assert (job.in_graph, job.out_graph, job.data_location) == (graph, graph.with_name("out.pb"), images)


def test_links_on_the_way_are_resolved_once(graph: Path, images: Path, tmp_path: Path) -> None:
    (tmp_path / "way").symlink_to(tmp_path)
    (tmp_path / "linked").symlink_to(images)
    job = checked_job(options("-g", tmp_path / "way" / "net.pb", "-d", tmp_path / "linked"))
    assert (job.in_graph, job.data_location) == (graph, images)


@pytest.mark.parametrize("missing", ["-g", "-d"])
def test_what_is_needed(graph: Path, images: Path, missing: str) -> None:
    given = {"-g": graph, "-d": images}
    del given[missing]
    error = refused(*(word for pair in given.items() for word in pair))
    assert isinstance(error, UsageError)
    assert "is missing" in error.message


def test_a_dry_run_needs_no_images(graph: Path) -> None:
    assert checked_job(options("-g", graph, "--dry-run")).data_location is None


def test_debug_needs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    job = checked_job(options("--debug"))
    assert (job.in_graph, job.out_graph, job.data_location) == (None, None, None)
    assert job.output_dir == tmp_path


def test_a_current_directory_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for argv in (["--debug"], ["-g", "net.pb", "-d", "images"]):
        assert isinstance(refused(*argv), UsageError)
    monkeypatch.chdir(tmp_path)


def test_debug_mounts_any_data(graph: Path) -> None:
    assert checked_job(options("--debug", "-d", graph)).data_location == graph


@pytest.mark.parametrize(
    "argv",
    [
        ("--model_name", "resnet50"),
        ("--models_config", "/"),
        ("--models_source_dir", "/"),
        ("--quiet", "--verbose"),
        ("--debug", "--json"),
    ],
)
def test_combinations_that_make_no_sense(graph: Path, images: Path, argv: tuple[str, ...]) -> None:
    assert isinstance(refused("-g", graph, "-d", images, *argv), UsageError)


def test_the_zoo_is_mounted_with_its_model(graph: Path, images: Path, tmp_path: Path) -> None:
    (tmp_path / "zoo").mkdir()
    job = checked_job(options("-g", graph, "-d", images, "-z", tmp_path / "zoo", "-n", "resnet50"))
    assert (job.models_zoo, job.model_name) == (tmp_path / "zoo", "resnet50")
    assert isinstance(refused("-g", graph, "-d", images, "-z", tmp_path / "nowhere", "-n", "x"), BadInputError)


def test_a_zoo_without_a_name_means_resnet50_as_in_the_first_version(graph: Path, images: Path, tmp_path: Path) -> None:
    zoo = ("-z", tmp_path)
    assert checked_job(options("-g", graph, "-d", images, *zoo)).inside()["model_name"] == "resnet50"
    assert checked_job(options("-g", graph, "-d", images, *zoo, "-n", "inceptionv3")).model_name == "inceptionv3"
    assert checked_job(options("-g", graph, "-d", images, *zoo, "--callback", "python a.py {}")).model_name is None
    assert checked_job(options("-g", graph, "-d", images)).model_name is None
    (tmp_path / "f.py").write_text("def feed(): ...")
    error = refused("-g", graph, *zoo, "--data_function", f"{tmp_path}/f.py:feed")
    assert isinstance(error, UsageError)
    assert "zoo model resnet50 exclude each other" in error.message


def test_the_users_own_file_of_models_is_mounted(graph: Path, images: Path, tmp_path: Path) -> None:
    (tmp_path / "zoo").mkdir()
    config = tmp_path / "mine.json"
    config.write_text("[]")
    zoo = ("-z", tmp_path / "zoo", "-n", "x")
    job = checked_job(options("-g", graph, "-d", images, *zoo, "--models_config", config))
    assert job.inside()["models_config"] == "models_config/mine.json"
    assert [mount.source for mount in job.mounts() if mount.target == "/workspace/models_config/mine.json"] == [config]
    assert isinstance(refused("-g", graph, "-d", images, "--models_config", config), UsageError)
    for text in ("[", "[" * 100_000):
        config.write_text(text)
        error = refused("-g", graph, "-d", images, *zoo, "--models_config", config)
        assert isinstance(error, BadInputError)
        assert f"--models_config: {config} is not valid JSON" in error.message


def test_a_zoo_model_and_a_function_both_calibrate(graph: Path, tmp_path: Path) -> None:
    (tmp_path / "f.py").write_text("def feed(): ...")
    error = refused("-g", graph, "-z", tmp_path, "-n", "x", "--data_function", f"{tmp_path}/f.py:feed")
    assert isinstance(error, UsageError)
    assert "exclude each other" in error.message


def make_link(path: Path) -> None:
    path.with_name("real").write_bytes(b"graph")
    path.symlink_to("real")


def make_hard_link(path: Path) -> None:
    path.with_name("real").write_bytes(b"graph")
    path.hardlink_to(path.with_name("real"))


@pytest.mark.parametrize(
    "make", [make_link, make_hard_link, Path.mkdir, os.mkfifo, Path.touch, lambda path: None], ids=str
)
def test_inputs_that_are_refused(images: Path, tmp_path: Path, make: object) -> None:
    path = tmp_path / "bad.pb"
    make(path)  # type: ignore[operator]
    error = refused("-g", path, "-d", images)
    assert isinstance(error, BadInputError)
    assert str(path) in error.message


def test_a_graph_that_protobuf_cannot_hold(graph: Path, images: Path) -> None:
    os.truncate(graph, GRAPH_LIMIT)
    assert "2 GiB" in refused("-g", graph, "-d", images).message


@pytest.mark.parametrize("make", [make_link, Path.mkdir, os.mkfifo], ids=str)
def test_outputs_that_are_refused(graph: Path, images: Path, tmp_path: Path, make: object) -> None:
    make(tmp_path / "out.pb")  # type: ignore[operator]
    assert isinstance(refused("-g", graph, "-d", images, "-o", tmp_path / "out.pb"), OutputRefusedError)


def test_parents_of_links_are_the_file_systems(graph: Path, images: Path, tmp_path: Path) -> None:
    (tmp_path / "far" / "away").mkdir(parents=True)
    (tmp_path / "near").symlink_to("far/away")
    job = checked_job(options("-g", graph, "-d", images, "-o", f"{tmp_path}/near/../out.pb"))
    assert job.out_graph == tmp_path / "far" / "out.pb"
    assert checked_job(options("-g", graph, "-d", f"{images}/cats/..")).data_location == images


def test_an_output_in_no_directory(graph: Path, images: Path, tmp_path: Path) -> None:
    error = refused("-g", graph, "-d", images, "-o", tmp_path / "not there" / "out.pb")
    assert isinstance(error, OutputRefusedError)
    assert error.remedy.startswith("mkdir -p '")


@pytest.mark.parametrize("name", ["net.pb", "images/../net.pb", "out.txt", "x" * 300 + ".pb", ""])
def test_output_names_that_are_usage_errors(graph: Path, images: Path, tmp_path: Path, name: str) -> None:
    target = tmp_path / name if name else ""
    assert isinstance(refused("-g", graph, "-d", images, "-o", target), UsageError)


def test_an_output_within_the_dataset_is_fine(graph: Path, images: Path) -> None:
    assert checked_job(options("-g", graph, "-d", images, "-o", images / "out.pb")).out_graph == images / "out.pb"


def test_datasets_that_are_refused(graph: Path, tmp_path: Path) -> None:
    (tmp_path / "empty" / "deeper").mkdir(parents=True)
    for path in (tmp_path / "empty", tmp_path / "nowhere"):
        error = refused("-g", graph, "-d", path)
        assert isinstance(error, BadInputError)
        assert str(path) in error.message


@pytest.mark.parametrize("option", ["--in_graph", "--data_location", "--models_zoo", "--out_graph"])
@pytest.mark.parametrize("name", ["loop/x.pb", "x" * 300, "f.pb/x.pb"])
def test_paths_that_lead_nowhere_are_no_defects(
    graph: Path, images: Path, tmp_path: Path, option: str, name: str
) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "f.pb").touch()
    given: dict[str, object] = {"-g": graph, "-d": images, "-z": tmp_path, "-n": "x", "-o": tmp_path / "out.pb"}
    given[{"--in_graph": "-g", "--data_location": "-d", "--models_zoo": "-z", "--out_graph": "-o"}[option]] = (
        tmp_path / name
    )
    error = refused(*(word for pair in given.items() for word in pair))
    assert isinstance(error, (BadInputError, OutputRefusedError, UsageError))
    assert option in error.message


def test_a_directory_nobody_may_look_into(
    graph: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As root, who runs these tests in CI, may look into any."""
    real = Path.lstat

    def fake(path: Path) -> os.stat_result:
        if "closed" in path.parts:
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(Path, "lstat", fake)
    for option in ("-d", "-z"):
        error = refused("-g", graph, "-d", images, "-z", tmp_path, "-n", "x", option, tmp_path / "closed" / "x")
        assert isinstance(error, BadInputError)
        assert "Permission denied" in error.message


@pytest.mark.parametrize("option", ["-g", "-o", "--labels", "--callback"])
def test_what_is_not_utf8_is_refused_before_any_work(graph: Path, images: Path, option: str) -> None:
    """The report would have to hold it, which is found out after all the work."""
    odd = graph.with_name("n\udcfct.pb")
    odd.write_bytes(b"graph")
    given = {"-g": graph, "-d": images, option: f"python3 {odd.name}" if option == "--callback" else odd}
    error = refused(*(word for pair in given.items() for word in pair))
    assert isinstance(error, BadInputError)
    assert "is not UTF-8" in error.message
    assert "--runtime" not in error.remedy


def test_a_folder_on_the_way_may_have_any_name(graph: Path, images: Path) -> None:
    """Nothing inside is called by it; an engine cannot mount what is below it, and says so."""
    folder = graph.with_name("f\udcfc")
    folder.mkdir()
    graph.rename(folder / "net.pb")
    assert checked_job(options("-g", folder / "net.pb", "-d", images)).in_graph == folder / "net.pb"


def test_a_look_makes_no_graph(graph: Path, tmp_path: Path) -> None:
    job = checked_job(options("-g", graph, "--other_graph", graph, "-d", graph, "--task", "evaluate"))
    assert job.out_graph is None
    assert job.inside()["task"] == "evaluate"
    assert job.inside()["other_graph"] == f"other_graph/{graph.name}"
    for argv, why in (
        (("--task", "evaluate", "-d", graph, "-o", tmp_path / "x.pb"), "makes no graph"),
        (("--task", "compare"), "only one graph"),
        (("--other_graph", graph, "-d", graph), "not two"),
        (("--tune", "--blame", "false", "-d", graph), "--blame false"),
        (("--tune", "--evaluate", "0", "-d", graph), "--evaluate 0"),
        (("--tune", "--measure", "false", "-d", graph), "--tune asks what is lost, which --measure false"),
        (("--max_drop", "1", "--no_measure", "-d", graph), "--max_drop asks what is lost"),
        (("--recipe", "-d", graph), "--recipe is for benchmark"),
    ):
        with pytest.raises(UsageError) as caught:
            checked_job(options("-g", graph, *argv))
        assert why in caught.value.message
    assert checked_job(options("-g", graph, "--task", "benchmark")).data_location is None
