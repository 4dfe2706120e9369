from __future__ import annotations

from pathlib import Path

import pytest

from launch_quantization.job.job import Job
from launch_quantization.view.host_paths import HostPaths

JOB = Job(Path("/in/my net.pb"), Path("/out/net_int8.pb"), Path("/photos"), models_zoo=Path("/zoo"), model_name="x")
STAGING = Path("/out/.net_int8.pb.quantizing")


@pytest.mark.parametrize("root", ["/workspace", f"{STAGING}/workspace"])
@pytest.mark.parametrize(
    ("inside", "host"),
    [
        ("/dataset/cats/0000.jpg", "/photos/cats/0000.jpg"),
        ("/dataset", "/photos"),
        ("/pretrained_model/my net.pb", "/in/my net.pb"),
        ("/models_zoo/a.py", "/zoo/a.py"),
        ("/output/net_int8.pb", "/out/net_int8.pb"),
    ],
)
@pytest.mark.parametrize("text", ["{}: cut off", "cannot read '{}'.", "{}", "see {}, please", "see {}."])
def test_what_is_inside_is_somewhere_here(root: str, inside: str, host: str, text: str) -> None:
    assert HostPaths(JOB, STAGING)(text.format(root + inside)) == text.format(host)


def test_the_directory_behind_the_output_link() -> None:
    assert HostPaths(JOB, STAGING)(f"{STAGING}/output/net_int8.pb: full") == "/out/net_int8.pb: full"


@pytest.mark.parametrize(
    "text",
    [
        "/workspace/datasets/x",
        "/home/me/workspace/dataset/x",
        "/workspace/pretrained_model/my net.pb.tmp",
        "/workspace/quantization/x.py",
        "dataset/x",
    ],
)
def test_other_paths_stay(text: str) -> None:
    assert HostPaths(JOB, STAGING)(text) == text


def test_what_was_put_in_is_not_looked_at_again() -> None:
    job = Job(Path("/in/net.pb"), Path("/out/net.pb"), Path("/workspace/output/dataset"))
    assert HostPaths(job, STAGING)("/workspace/dataset/x") == "/workspace/output/dataset/x"


def test_a_host_path_that_could_rewrite_the_terminal() -> None:
    job = Job(Path("/in/net.pb"), Path("/out/net.pb"), Path("/a\x1b[2Jb\nc"))
    assert HostPaths(job, STAGING)("/workspace/dataset/x") == "/ab c/x"
