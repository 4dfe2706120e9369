from __future__ import annotations

import os
from pathlib import Path

import pytest

from launch_quantization.errors import BadInputError, UsageError
from launch_quantization.job.input_graph import GRAPH_LIMIT, input_graph
from launch_quantization.job.validation import checked_job
from tests.launcher.support import options


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    folder = tmp_path / "net.v2"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"model")
    (folder / "variables" / "variables.index").write_bytes(b"index")
    return folder


def refused(path: Path) -> BadInputError:
    with pytest.raises(BadInputError) as caught:
        input_graph(str(path))
    assert "\n" not in caught.value.message + caught.value.remedy
    return caught.value


@pytest.mark.parametrize("name", ["net.pb", "net.pbtxt", "net.h5", "net.keras"])
def test_files(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"graph")
    assert input_graph(str(tmp_path / name)) == tmp_path / name
    job = checked_job(options("-g", tmp_path / name, "--dry-run"))
    assert job.out_graph == tmp_path / "net_int8.pb"


def test_a_saved_model(saved: Path) -> None:
    job = checked_job(options("-g", f"{saved}/", "--dry-run", "--signature", "predict"))
    assert (job.in_graph, job.out_graph) == (saved, saved.with_name("net.v2_int8.pb"))
    assert job.inside()["in_graph"] == "pretrained_model/net.v2"
    assert job.inside()["signature"] == "predict"
    assert job.mounts()[0].source == saved
    (saved / "saved_model.pb").rename(saved / "saved_model.pbtxt")
    assert input_graph(str(saved)) == saved


def test_an_output_inside_of_the_input(saved: Path) -> None:
    with pytest.raises(UsageError, match="inside of --in_graph"):
        checked_job(options("-g", saved, "-o", saved / "variables" / "out.pb", "--dry-run"))


def test_links_are_refused(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(saved)
    assert "link, which is refused" in refused(tmp_path / "link").message
    (saved / "assets").symlink_to(tmp_path)
    assert f"{saved}/assets is a symlink" in refused(saved).message
    (saved / "assets").unlink()
    os.link(saved / "saved_model.pb", tmp_path / "other")
    assert "2 hard links" in refused(saved).message


def test_other_folders(saved: Path, tmp_path: Path) -> None:
    assert "without a saved_model.pb" in refused(tmp_path).message
    os.mkfifo(saved / "fifo")
    assert "no regular file" in refused(saved).message


def test_only_a_message_is_limited(tmp_path: Path) -> None:
    for name in ("net.pb", "net.h5"):
        (tmp_path / name).touch()
        os.truncate(tmp_path / name, GRAPH_LIMIT)
    assert "2 GiB" in refused(tmp_path / "net.pb").message
    assert input_graph(str(tmp_path / "net.h5")) == tmp_path / "net.h5"
