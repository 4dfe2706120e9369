"""The data of a job: folders, files, labels and functions, checked and mounted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from launch_quantization.errors import BadInputError, LauncherError, UsageError
from launch_quantization.job.job import Mount
from launch_quantization.job.validation import checked_job
from tests.launcher.support import options


def refused(*argv: object) -> LauncherError:
    with pytest.raises(LauncherError) as caught:
        checked_job(options(*argv))
    return caught.value


@pytest.mark.parametrize("name", ["data.npz", "x.npy", "validation-00000-of-00128", "coco val.record"])
def test_a_file_keeps_its_name_inside(graph: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"data")
    job = checked_job(options("-g", graph, "-d", tmp_path / name))
    assert job.data_location == tmp_path / name
    assert job.inside()["data_location"] == f"dataset/{name}"
    assert Mount(tmp_path / name, f"/workspace/dataset/{name}") in job.mounts()


def test_a_link_to_a_file_is_followed(graph: Path, tmp_path: Path) -> None:
    (tmp_path / "data.npz").write_bytes(b"data")
    (tmp_path / "link").symlink_to("data.npz")
    assert checked_job(options("-g", graph, "-d", tmp_path / "link")).inside()["data_location"] == "dataset/data.npz"


def test_labels_and_seed(graph: Path, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").touch()
    (tmp_path / "labels.csv").write_text("a.png,1")
    argv = ("-g", graph, "-d", tmp_path / "images", "--labels", tmp_path / "labels.csv", "--seed", "7")
    job = checked_job(options(*argv))
    assert (job.inside()["labels"], job.inside()["seed"]) == ("labels/labels.csv", 7)
    assert Mount(tmp_path / "labels.csv", "/workspace/labels/labels.csv") in job.mounts()
    assert checked_job(options(*argv[:4])).inside()["labels"] is None


def test_statistics_stand_for_data(graph: Path, tmp_path: Path) -> None:
    (tmp_path / "a.statistics.json").write_text("{}")
    job = checked_job(options("-g", graph, "--statistics", tmp_path / "a.statistics.json"))
    assert job.inside()["statistics"] == "statistics/a.statistics.json"
    assert Mount(tmp_path / "a.statistics.json", "/workspace/statistics/a.statistics.json") in job.mounts()
    assert job.data_location is None
    assert checked_job(options("-g", graph, "-d", tmp_path)).inside()["statistics"] is None


def test_a_function_needs_no_data(graph: Path, tmp_path: Path) -> None:
    (tmp_path / "my feed.py").write_text("def batches(): pass")
    job = checked_job(options("-g", graph, "--data_function", f"{tmp_path}/my feed.py:batches"))
    assert (job.data_function, job.data_function_name) == (tmp_path / "my feed.py", "batches")
    assert job.inside()["data_function"] == "data_function/my feed.py:batches"
    assert job.mounts()[1] == Mount(tmp_path / "my feed.py", "/workspace/data_function/my feed.py", read_only=True)
    assert job.data_location is None


@pytest.mark.parametrize("value", ["feed.py", "feed.py:", ":batches", "feed:batches", "feed.py:a b", "feed.py:1"])
def test_functions_that_are_none(graph: Path, value: str) -> None:
    error = refused("-g", graph, "--data_function", value)
    assert isinstance(error, UsageError)
    assert "FILE.py:FUNCTION" in error.remedy


@pytest.mark.parametrize("option", ["--data_location", "--labels", "--data_function", "--statistics"])
@pytest.mark.parametrize("make", [os.mkfifo, Path.touch, lambda path: None], ids=["fifo", "empty", "missing"])
def test_files_that_are_refused(graph: Path, tmp_path: Path, option: str, make: object) -> None:
    path = tmp_path / "bad.py"
    make(path)  # type: ignore[operator]
    argv = ["-g", graph, option, f"{path}:f" if option == "--data_function" else path]
    if option == "--labels":
        argv += ["-d", graph]
    error = refused(*argv)
    assert isinstance(error, BadInputError)
    assert f"{option}: {path}" in error.message


def test_a_folder_is_no_labels_file(graph: Path, tmp_path: Path) -> None:
    assert "no regular file" in refused("-g", graph, "-d", graph, "--labels", tmp_path).message


@pytest.mark.parametrize(
    "argv",
    [
        (),
        ("--labels", "l.txt"),
        ("--labels", "l.txt", "--data_function", "feed.py:f"),
        ("--labels", "l.txt", "--data_function", "feed.py:f", "--data_location", "."),
        ("--callback", "python a.py {}", "--data_function", "feed.py:f"),
        ("--callback", "python a.py {}", "--statistics", "s.json"),
    ],
)
def test_combinations_that_make_no_sense(graph: Path, argv: tuple[str, ...]) -> None:
    assert isinstance(refused("-g", graph, *argv), UsageError)


def test_a_folder_of_maps_that_cannot_be_listed(graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "maps").mkdir()

    def denied(path: object) -> list[str]:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("launch_quantization.job.data.os.listdir", denied)  # root may read everything
    error = refused("-g", graph, "-d", graph, "--labels", tmp_path / "maps")
    assert isinstance(error, BadInputError)
    assert "is not readable: Permission denied" in error.message


def test_a_folder_of_maps_is_mounted_as_one(graph: Path, tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "a.png").write_bytes(b"map")
    job = checked_job(options("-g", graph, "-d", graph, "--labels", tmp_path / "maps"))
    assert job.inside()["labels"] == "labels"
    assert Mount(tmp_path / "maps", "/workspace/labels") in job.mounts()


def test_a_metric_and_what_may_be_lost(graph: Path, tmp_path: Path) -> None:
    (tmp_path / "f1.py").write_text("def score(outputs, labels): pass")
    argv = ("-g", graph, "-d", graph, "--metric", f"{tmp_path}/f1.py:score", "--max-drop", "0.5")
    job = checked_job(options(*argv))
    assert (job.inside()["metric"], job.inside()["max_drop"]) == ("metric/f1.py:score", 0.5)
    assert Mount(tmp_path / "f1.py", "/workspace/metric/f1.py") in job.mounts()


def test_what_is_wrong_with_a_metric(graph: Path, tmp_path: Path) -> None:
    assert "--metric" in refused("-g", graph, "-d", graph, "--metric", "f1.py").message
    assert "does not exist" in refused("-g", graph, "-d", graph, "--metric", f"{tmp_path}/f1.py:score").message
    command = ("--callback", "python x.py --graph {}")
    assert "needs samples" in refused("-g", graph, *command, "--metric", "f1.py:score").message


@pytest.mark.parametrize("text", ["-1", "much", "1e3", "1000"])
def test_points_are_numbers_from_0(graph: Path, text: str) -> None:
    assert isinstance(refused("-g", graph, "-d", graph, f"--max_drop={text}"), UsageError)


def test_no_data_is_enough_for_a_first_look(graph_and_images: tuple[Path, Path]) -> None:
    graph, images = graph_and_images
    assert checked_job(options("-g", graph, "--data", "none")).inside()["data"] == "none"
    both = checked_job(options("-g", graph, "--data", "none", "-d", images))
    assert both.data_location == images
    for words in (("--callback", "python x.py"), ("--task", "evaluate"), ("--statistics", graph)):
        with pytest.raises(UsageError, match="--data none"):
            checked_job(options("-g", graph, "--data", "none", *words))
    with pytest.raises(UsageError, match="--data_location is missing") as caught:
        checked_job(options("-g", graph))
    assert "--data none" in caught.value.remedy


@pytest.fixture
def graph_and_images(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "net.pb").write_bytes(b"graph")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(b"png")
    return tmp_path / "net.pb", tmp_path / "images"
