"""Which entry is for which checkout of the zoo."""

from __future__ import annotations

import pytest

from intel_quantization.errors import BadInputError
from intel_quantization.zoo.checkout import BENCHMARKS, choose_entry, generation
from intel_quantization.zoo.config import default_file, load_entries
from tests.standin_zoo import write_zoo

DETECTION = "object_detection/tensorflow/ssd-mobilenet/inference"


def put(zoo, *names):
    for name in (BENCHMARKS, *names):
        (zoo / name).parent.mkdir(parents=True, exist_ok=True)
        (zoo / name).touch()


def choose(zoo, name):
    return choose_entry(load_entries(default_file()), name, str(zoo))


def test_generations(tmp_path):
    assert generation(str(tmp_path)) == ""
    assert generation(str(write_zoo(tmp_path / "old", "v1.5"))) == "before v1.6.1"
    assert generation(str(write_zoo(tmp_path / "new", "v3"))) == "v2.7.0 or later"
    put(tmp_path)
    (tmp_path / BENCHMARKS).write_text('"--noinstall"')
    assert generation(str(tmp_path)) == "v1.6.1 to v2.6.2"


def test_ssd_mobilenet_changed_with_v1_6(tmp_path):
    init = "benchmarks/" + DETECTION
    put(tmp_path / "old", init + "/int8/model_init.py", "models/" + DETECTION + "/int8/coco_int8.sh")
    put(tmp_path / "new", init + "/fp32/model_init.py", "models/" + DETECTION + "/coco_detection_evaluator.py")
    old, new = choose(tmp_path / "old", "ssd_mobilenet"), choose(tmp_path / "new", "ssd_mobilenet")
    assert ("int8" in old.command, bool(old.model_source_dir)) == (True, True)
    assert ("fp32" in new.command, bool(new.model_source_dir)) == (True, False)


def test_a_model_that_the_zoo_dropped(tmp_path):
    zoo = write_zoo(tmp_path / "zoo", "v3")
    with pytest.raises(BadInputError) as caught:
        choose(zoo, "rfcn")
    assert "(v2.7.0 or later) has no rfcn" in caught.value.message
    assert caught.value.remedy == "check out a tag that has it: v1.3.0 to v3.0.0"


def test_what_is_no_zoo(tmp_path):
    with pytest.raises(BadInputError, match="is no checkout of the Model Zoo: it has no benchmarks/launch_benchmark"):
        choose(tmp_path, "resnet50")


def test_a_name_that_is_none(tmp_path):
    with pytest.raises(BadInputError, match="there is no zoo model 'resnet50v15'") as caught:
        choose(tmp_path, "resnet50v15")
    assert caught.value.remedy.startswith("did you mean resnet50v1_5?")
