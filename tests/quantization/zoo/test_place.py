"""The private place of a run of the zoo."""

from __future__ import annotations

import os
import subprocess

import pytest

from intel_quantization.errors import BadInputError
from intel_quantization.zoo.place import LEFT_OUT, Place


def shell(place, script):
    environment = dict(os.environ, **place.variables("/zoo/benchmarks"))
    return subprocess.run(["bash", "-c", script], check=False, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("name", LEFT_OUT)
def test_nothing_is_installed_or_fetched(name):
    with Place() as place:
        done = shell(place, f"{name} install something && echo went on")
    assert done.stdout == f"left out: {name} install something\nwent on\n"


def test_sources_may_be_patched_and_stay_as_they_are(tmp_path):
    research = tmp_path / "research"
    research.mkdir()
    (research / "a.py").write_text("old\n")
    (tmp_path / ".git").mkdir()
    (research / "link").symlink_to(research / "a.py")
    (tmp_path / "linked").symlink_to(research)
    with Place(str(tmp_path)) as place:
        done = shell(place, f"cd {place.sources}/research && sed -i s/old/new/ a.py && chmod 777 a.py && cat a.py link")
        assert "new\nold\n" in done.stdout
        assert os.path.isfile(os.path.join(place.sources, "linked", "a.py"))
        assert not os.path.exists(os.path.join(place.sources, ".git"))
        (research / "b.py").touch()
    assert (research / "a.py").read_text() == "old\n"
    assert not os.path.exists(place.logs)


def test_the_benchmarks_of_ssd_resnet34_are_found_in_both_places(tmp_path):
    scripts = tmp_path / "ssd-resnet-benchmarks" / "scripts" / "tf_cnn_benchmarks"
    scripts.mkdir(parents=True)
    (scripts / "ssd_constants.py").touch()
    with Place(str(tmp_path)) as place:
        assert os.path.isfile(os.path.join(place.sources, "research", "ssd_constants.py"))
        beside = os.path.join(place.sources, "..", "ssd-resnet-benchmarks", "scripts", "tf_cnn_benchmarks")
        assert os.path.isfile(os.path.join(beside, "ssd_constants.py"))
    assert not (tmp_path / "research").exists()


def test_detection_models_can_import_what_they_evaluate_with():
    with Place() as place:
        done = shell(place, "python3 -c 'from pycocotools import coco, cocoeval, mask; print(coco.COCO.__name__)'")
    assert done.stdout == "COCO\n"


def test_modules_keep_their_places(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "here")
    with Place() as place:
        first, *_, last = place.variables("/zoo/benchmarks")["PYTHONPATH"].split(os.pathsep)
    assert (first, last) == (os.path.abspath("here"), "/zoo/benchmarks")


def test_sources_that_are_no_folder(tmp_path):
    (tmp_path / "x").touch()
    with pytest.raises(BadInputError, match="is not a folder"):
        Place(str(tmp_path / "x"))
