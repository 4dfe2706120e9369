"""--statistics: what an earlier run saw stands for calibration, in a container and without."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.support import Launcher


def test_the_same_graph_without_data(launch: Launcher, graph: Path, images: Path, tmp_path: Path) -> None:
    first = launch("-g", graph, "-d", images, "-o", tmp_path / "a.pb", "--intermediate")
    assert first.returncode == 0, first.stderr

    kept = tmp_path / "a.intermediate" / "statistics.npz"
    done = launch("-g", graph, "--statistics", kept, "-o", tmp_path / "b.pb")

    assert done.returncode == 0, done.stderr
    assert "in an earlier run: statistics.npz" in done.stdout
    assert (tmp_path / "b.pb").read_bytes() == (tmp_path / "a.pb").read_bytes()

    done = launch("-g", graph, "--statistics", tmp_path / "a.statistics.json", "-o", tmp_path / "c.pb", "--algo", "KL")
    assert done.returncode == 0, done.stderr
    assert "a.statistics.json has no patches" in done.stderr


def test_of_another_graph(launch: Launcher, graph: Path, images: Path, tmp_path: Path) -> None:
    first = launch("-g", graph, "-d", images, "-o", tmp_path / "a.pb", "--outputs", "first")
    assert first.returncode == 0, first.stderr

    done = launch("-g", graph, "--statistics", tmp_path / "a.statistics.json", "-o", tmp_path / "b.pb")

    assert done.returncode == 3
    assert "error: the statistics are of another graph" in done.stderr
    assert not (tmp_path / "b.pb").exists()
