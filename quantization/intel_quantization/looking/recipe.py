"""How to serve a graph on this machine: settings that are tried, in a bounded number; the best as lines to paste."""

from __future__ import annotations

import glob
import os
from dataclasses import replace
from typing import Callable, List, NamedTuple, Sequence, Tuple

from intel_quantization.looking.instances import Served, Setting

Try = Callable[[Setting], "Served | str"]
_GAIN = 1.03  # a variable that brings less is noise, or not worth a line
_ALLOCATORS = ("tcmalloc_minimal", "tcmalloc", "jemalloc")
_FOLDERS = ("/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib")
_MEMORY = 0.6  # of what is free, which instances may take
_MOST_SPLITS = 6


class Recipe(NamedTuple):
    """What came of it: all that was tried, the quickest answer of one sample, the most samples, what was not tried."""

    tried: List[Served]
    quickest: Served | None
    most: Served | None
    failed: List[Tuple[Setting, str]]
    untried: List[str]


def splits(cpus: int, memory: float, each: float) -> List[Tuple[int, int]]:
    """(instances, threads of each): from one to as many as there are CPUs, in powers of two, as far as memory goes.

    Args:
        cpus: that there are.
        memory: bytes that are free.
        each: bytes that an instance takes.
    """
    found = []
    threads = cpus
    while threads:
        instances = cpus // threads
        if instances == 1 or instances * each <= _MEMORY * memory:
            found.append((instances, threads))
        threads //= 2
    # of many CPUs, the ends and some between them
    while len(found) > _MOST_SPLITS:
        del found[len(found) // 2]
    return found


def variables_to_try(openmp: bool) -> Tuple[List[Tuple[str, str]], List[str]]:
    """Variables that may bring something here, and what is not tried, in words.

    Args:
        openmp: whether this TensorFlow brings OpenMP's threads.
    """
    found: List[Tuple[str, str]] = []
    untried = []
    allocators = [path for path in map(_find_library, _ALLOCATORS) if path]
    found += [("LD_PRELOAD", path) for path in allocators[:2]]
    if not allocators:
        untried.append("another allocator: no tcmalloc or jemalloc is installed here")
    found.append(("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1"))
    if openmp:
        found += [("KMP_BLOCKTIME", "0"), ("KMP_BLOCKTIME", "1")]
    else:
        untried.append("KMP_BLOCKTIME: this TensorFlow has threads of its own, not OpenMP's")
    return found, untried


def find_recipe(
    attempt: Try, shapes: Sequence[Tuple[int, int]], batches: Sequence[int], variables: Sequence[Tuple[str, str]]
) -> Recipe:
    """Try all shapes in all batches, then the variables one after the other on the shape with the most samples.

    Args:
        attempt: serves a setting, or says why it does not go.
        shapes: instances and threads, as :func:`splits` gives them.
        batches: of samples; the first is the smallest.
        variables: as :func:`variables_to_try` gives them.
    """
    tried: List[Served] = []
    failed: List[Tuple[Setting, str]] = []

    def served(setting: Setting) -> Served | None:
        found = attempt(setting)
        if isinstance(found, str):
            failed.append((setting, found))
            return None
        tried.append(found)
        return found

    for batch in batches:
        for instances, threads in shapes:
            served(Setting(instances, threads, batch=batch))
    most = max(tried, key=lambda each: each.rate, default=None)
    if most is not None:
        if most.setting.threads > 1:
            most = _choose_better(most, served(replace(most.setting, inter=2)))
        for name, value in variables:
            before = tuple(pair for pair in most.setting.variables if pair[0] != name)
            most = _choose_better(most, served(replace(most.setting, variables=(*before, (name, value)))))
    singles = [each for each in tried if each.setting.batch == batches[0] and not each.setting.variables]
    return Recipe(tried, min(singles, key=lambda each: each.median, default=None), most, failed, [])


def _choose_better(best: Served, other: Served | None) -> Served:
    return other if other is not None and other.rate > best.rate * _GAIN else best


def lines_of(recipe: Recipe, cpus: Sequence[int]) -> List[str]:
    """The table, and what to paste.

    Args:
        recipe: as found.
        cpus: that were used, in their order.
    """
    lines = ["instances x threads, ops at a time, batch: ms of a run (90 % within), samples a second"]
    for each in recipe.tried:
        lines.append(f"  {_told(each.setting)}: {each.median:.2f} ({each.high:.2f}), {each.rate:.1f}")
    lines += [f"  {_told(setting)}: {why}" for setting, why in recipe.failed]
    lines += [f"not tried: {text}" for text in recipe.untried]
    if recipe.quickest is not None:
        lines.append(f"quickest answer: {_told(recipe.quickest.setting)}: {recipe.quickest.median:.2f} ms; to paste:")
        lines += _to_paste(recipe.quickest.setting, cpus)
    if recipe.most is not None:
        lines.append(f"most samples: {_told(recipe.most.setting)}: {recipe.most.rate:.1f} a second; to paste:")
        lines += _to_paste(recipe.most.setting, cpus)
    return lines


def _told(setting: Setting) -> str:
    more = "".join(f", {name}={value}" for name, value in setting.variables)
    return f"{setting.instances} x {setting.threads}, {setting.inter}, batch {setting.batch}{more}"


def _to_paste(setting: Setting, cpus: Sequence[int]) -> List[str]:
    lines = [f"  export {name}={value}" for name, value in setting.environment.items()]
    for number in range(setting.instances):
        mine = ",".join(map(str, cpus[number * setting.threads : (number + 1) * setting.threads]))
        end = " &" if setting.instances > 1 else ""
        lines.append(f"  taskset -c {mine} COMMAND{end}")
    return lines


def own_cpus(siblings: str = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list") -> List[int]:
    """The CPUs that this process may use, one of each core: two threads of a core share its INT8 units."""
    found, seen = [], set()
    for cpu in sorted(os.sched_getaffinity(0)):
        try:
            with open(siblings.format(cpu)) as stream:
                core = stream.read().strip()
        except OSError:
            core = str(cpu)
        if core not in seen:
            seen.add(core)
            found.append(cpu)
    return found


def free_memory(meminfo: str = "/proc/meminfo") -> float:
    """Bytes that are free, no more than the container may have; without a limit of its own, what the machine has."""
    with open(meminfo) as stream:
        free = next(1024.0 * int(line.split()[1]) for line in stream if line.startswith("MemAvailable"))
    try:
        with open("/sys/fs/cgroup/memory.max") as stream:
            return min(free, float(stream.read()))
    except (OSError, ValueError):  # no such limit, or "max"
        return free


def has_openmp(maps: str = "/proc/self/maps") -> bool:
    """Whether an OpenMP library is loaded in this process."""
    with open(maps) as stream:
        return any("iomp5" in line or "libgomp" in line for line in stream)


def _find_library(name: str) -> str:
    found = [path for folder in _FOLDERS for path in sorted(glob.glob(f"{folder}/lib{name}.so.*"))]
    return found[0] if found else ""
