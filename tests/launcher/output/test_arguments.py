"""The command line that a manifest keeps is the job again."""

from __future__ import annotations

from pathlib import Path

import pytest

from launch_quantization.commands.options import run_options
from launch_quantization.contract.option import Option, options_of
from launch_quantization.contract.options import RunOptions
from launch_quantization.job.validation import checked_job
from launch_quantization.output.arguments import NOT_OF_THE_JOB, arguments_of
from tests.launcher.test_contract import example

_TOLD = [option for option in options_of(RunOptions) if option.name not in (*NOT_OF_THE_JOB, "task", "recipe")]
"""Those of what quantizes; the other tasks leave no manifest."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("file", "net.pb"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "feed.py").write_text("def batches(): ...")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.png").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("option", _TOLD, ids=lambda option: option.name)
def test_every_option_comes_back(folder: Path, option: Option, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["--in_graph=net.pb", "--out_graph=out.pb", "--data_location=folder"]
    needs = {
        "callback": "--samples=3",
        "model_name": "--models_zoo=folder",
        "models_config": "--models_zoo=folder",
        "models_source_dir": "--models_zoo=folder",
        "format": "--out_graph=out",
        "seed": "--samples=3",
        "tune": "--max_drop=2",
    }
    given = [word for word in words if not word.startswith(f"--{option.name}=")]
    if option.name in ("callback", "data_function"):
        given = [word for word in given if not word.startswith("--data_location")]
    given += [needs[option.name]] if option.name in needs else []
    before = checked_job(run_options([*given, *example(option, folder)]))
    said = arguments_of(before)
    monkeypatch.chdir("/")
    again = checked_job(run_options(said))
    assert vars(again) == vars(before)
    assert arguments_of(again) == said


def test_views_and_sites_are_nobody_elses(folder: Path) -> None:
    job = checked_job(run_options(["-g", "net.pb", "-o", "out.pb", "-d", "folder", "--verbose", "--ca_bundle=file"]))
    assert arguments_of(job) == [
        f"--in_graph={folder}/net.pb",
        f"--out_graph={folder}/out.pb",
        f"--data_location={folder}/folder",
        "--format=pb",
    ]
