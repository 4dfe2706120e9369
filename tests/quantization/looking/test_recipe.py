"""``benchmark --recipe``: what is tried, what is chosen, and that the lines to paste are those that were measured."""

from __future__ import annotations

import os
from types import SimpleNamespace

import numpy as np
import pytest

from intel_quantization.looking import recipe
from intel_quantization.looking.instances import Served, Setting, serve, served_graph
from intel_quantization.looking.recipe import find_recipe, lines_of, own_cpus, splits, variables_to_try
from tests.quantization.builders import activate, build, image

GB = 1 << 30


@pytest.mark.parametrize(
    ("cpus", "memory", "each", "wanted"),
    [
        (1, GB, 1, [(1, 1)]),
        (2, GB, 1, [(1, 2), (2, 1)]),
        (6, GB, 1, [(1, 6), (2, 3), (6, 1)]),
        (8, GB, GB / 4, [(1, 8), (2, 4)]),  # four would take all the memory
        (2, 1.0, GB, [(1, 2)]),
    ],
)
def test_shapes(cpus, memory, each, wanted):
    assert splits(cpus, memory, each) == wanted


def test_of_many_cpus_the_number_of_shapes_is_bounded():
    found = splits(256, 1000 * GB, 1)
    assert len(found) == 6
    assert found[0] == (1, 256)
    assert found[-1] == (256, 1)


def machine(setting):
    """One on which two instances, and an allocator, are the best."""
    ms = {(1, 2): 5.0, (2, 1): 8.0}[setting.instances, setting.threads] * setting.batch**0.5
    for name, _value in setting.variables:
        ms *= {"LD_PRELOAD": 0.8, "KMP_BLOCKTIME": 1.5}[name]
    ms *= 1.2 if setting.inter > 1 else 1.0
    return Served(setting, ms, 1.1 * ms, 1000.0 * setting.instances * setting.batch / ms)


VARIABLES = [("KMP_BLOCKTIME", "0"), ("LD_PRELOAD", "/lib/a.so"), ("LD_PRELOAD", "/lib/b.so")]


def test_what_brings_more_is_kept():
    found = find_recipe(machine, [(1, 2), (2, 1)], [1, 16], VARIABLES)
    assert found.most.setting == Setting(2, 1, 1, 16, (("LD_PRELOAD", "/lib/a.so"),))
    assert found.quickest.setting == Setting(1, 2, 1, 1)
    assert len(found.tried) == 4 + len(VARIABLES)  # an instance of one thread runs one op at a time
    assert all(len(dict(each.setting.variables)) == len(each.setting.variables) for each in found.tried)


def test_what_brings_next_to_nothing_is_not_kept():
    def same(setting):
        ms = 5.0 - 0.1 * len(setting.variables)
        return Served(setting, ms, ms, 1000.0 / ms)

    assert find_recipe(same, [(1, 2)], [1], VARIABLES[:1]).most.setting == Setting(1, 2)


def test_what_fails_is_told_and_the_others_stand():
    def attempt(setting):
        return "an instance ended with status 1" if setting.instances == 2 else machine(setting)

    found = find_recipe(attempt, [(1, 2), (2, 1)], [1], [])
    assert found.most.setting == Setting(1, 2)
    told = lines_of(found, [0, 1])
    assert "  2 x 1, 1, batch 1: an instance ended with status 1" in told
    nothing = find_recipe(lambda _setting: "no", [(1, 1)], [1], VARIABLES)
    assert (nothing.most, nothing.quickest) == (None, None)
    assert lines_of(nothing, [0])


def test_the_lines_to_paste():
    found = find_recipe(machine, [(1, 2), (2, 1)], [1, 16], VARIABLES)
    told = lines_of(found._replace(untried=["another allocator"]), [3, 5])
    assert "not tried: another allocator" in told
    place = told.index("most samples: 2 x 1, 1, batch 16, LD_PRELOAD=/lib/a.so: 1250.0 a second; to paste:")
    assert told[place + 1 :] == [
        "  export OMP_NUM_THREADS=1",
        "  export TF_NUM_INTRAOP_THREADS=1",
        "  export TF_NUM_INTEROP_THREADS=1",
        "  export LD_PRELOAD=/lib/a.so",
        "  taskset -c 3 COMMAND &",
        "  taskset -c 5 COMMAND &",
    ]
    quickest = told.index("quickest answer: 1 x 2, 1, batch 1: 5.00 ms; to paste:")
    assert told[quickest + 4] == "  taskset -c 3,5 COMMAND"


def test_variables_are_those_of_this_machine(monkeypatch):
    monkeypatch.setattr(recipe, "_find_library", lambda name: f"/lib/{name}.so" if name == "jemalloc" else "")
    found, untried = variables_to_try(openmp=True)
    assert ("LD_PRELOAD", "/lib/jemalloc.so") in found
    assert ("KMP_BLOCKTIME", "0") in found
    assert untried == []
    monkeypatch.setattr(recipe, "_find_library", lambda name: "")
    found, untried = variables_to_try(openmp=False)
    assert [name for name, _value in found] == ["TF_ONEDNN_USE_SYSTEM_ALLOCATOR"]
    assert len(untried) == 2


def test_one_thread_of_each_core(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0, 1, 2, 3, 7})
    for cpu, siblings in ((0, "0,2"), (2, "0,2"), (1, "1,3"), (3, "1,3")):
        (tmp_path / f"{cpu}").write_text(siblings + "\n")
    assert own_cpus(str(tmp_path / "{}")) == [0, 1, 7]


@pytest.fixture(scope="module")
def served():
    """Folders of a small graph."""
    graph = build(lambda: activate(image((None, 8, 8, 3)), "relu", "out"))
    looked = SimpleNamespace(graph=graph, outputs=("out:0",), own=lambda feed: feed)
    with served_graph(looked, {2: {"input:0": np.zeros((2, 8, 8, 3), np.float32)}}) as folder_of:
        yield folder_of(2)


def test_instances_are_served_at_once(served):
    cpu = min(os.sched_getaffinity(0))
    found = serve(served, Setting(2, 1, batch=2), [cpu, cpu], seconds=0.2)
    assert isinstance(found, Served), found
    assert 0 < found.median <= found.high
    assert found.rate > 0


def test_an_instance_that_dies_is_told(served):
    cpu = min(os.sched_getaffinity(0))
    missing = serve(served, Setting(1, 1, variables=(("TF_NUM_INTRAOP_THREADS", "x"),)), [cpu], seconds=0.1)
    assert missing == "an instance ended with status 1"
