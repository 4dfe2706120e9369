"""A function of the user's as data."""

from __future__ import annotations

import numpy as np
import pytest

from intel_quantization.data.function_data import function_data
from intel_quantization.errors import BadInputError
from intel_quantization.reading.interface import TensorInfo

pytestmark = pytest.mark.tensorflow

INPUTS = [TensorInfo("x:0", "x", "float32", (None, 2)), TensorInfo("is_training:0", "is_training", "bool", ())]

GOOD = """
import numpy as np

def batches():
    for number in range(6):
        yield {"x": np.full((2, 2), number, np.float32), "labels": np.array([number, number + 1])}

def plain():
    return [np.full((2, 2), number) for number in range(3)]

def array():
    return np.arange(10, dtype=np.float32).reshape(5, 2)

def single():
    return {"x:0": np.ones((4, 2), np.float32)}

def reader(path):
    yield {"x": np.full((1, 2), len(path), np.float32)}

def optional(path=None, *, batch=2):
    yield {"x": np.full((batch, 2), len(path), np.float32)}
"""


def data_of(folder, code, name, *arguments):
    path = folder / "feed.py"
    path.write_text(code)
    return function_data(str(path), name, INPUTS, *arguments)


def test_the_first_samples_calibrate_and_the_next_compare(tmp_path):
    data = data_of(tmp_path, GOOD, "batches", 3, 4)
    first, second = (list(data.feed(part, None).batches()) for part in (data.split.calibration, data.split.evaluation))
    assert [batch.feed["x:0"][0, 0] for batch in first] == [0, 1]  # up to the end of a batch
    assert [batch.feed["x:0"][0, 0] for batch in second] == [2, 3]
    assert [image.label for batch in second for image in batch.images] == [2, 3, 3, 4]
    assert set(first[0].feed) == {"x:0", "is_training:0"}
    again = list(data.feed(data.split.calibration[:1], None))
    assert len(again) == 1


def test_a_function_that_ends_early(tmp_path):
    data = data_of(tmp_path, GOOD, "batches")
    assert (len(data.split.calibration), len(data.split.evaluation)) == (100, 500)
    assert len(list(data.feed(data.split.calibration, None))) == 6
    assert list(data.feed(data.split.evaluation, None)) == []


@pytest.mark.parametrize(("name", "rows"), [("plain", [2, 2, 2]), ("array", [2, 2, 1]), ("single", [4])])
def test_what_it_may_return(tmp_path, name, rows):
    data = data_of(tmp_path, GOOD, name)
    batches = list(data.feed(data.split.calibration, None).batches())
    assert [len(batch.feed["x:0"]) for batch in batches] == rows
    assert {image.label for batch in batches for image in batch.images} == {None}


def test_an_argument_with_a_default_is_not_for_the_path_that_is_none(tmp_path):
    data = data_of(tmp_path, "import numpy as np\ndef batches(rows=3): return np.ones((rows, 2))", "batches")
    assert sum(len(feed["x:0"]) for feed in data.feed(data.split.calibration, None)) == 3
    data = data_of(tmp_path, "import numpy as np\ndef batches(path): return np.full((1, 2), path is None)", "batches")
    assert next(iter(data.feed(data.split.calibration, None)))["x:0"][0, 0] == 1


@pytest.mark.parametrize("name", ["reader", "optional"])
def test_it_may_take_the_path_of_the_data(tmp_path, name):
    data = data_of(tmp_path, GOOD, name, 1, 0, "/data")
    assert next(iter(data.feed(data.split.calibration, None)))["x:0"][0, 0] == 5


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def batches(): return None", "it gives None"),
        ("def batches(): return 3", "calibration_data is a int"),
        ("def batches(): yield {}", "is empty"),
        ("def batches(): yield 1", "is a int, no feed dict"),
        ("import numpy as np\ndef batches(): yield {'x': np.ones((1, 3))}", "the data are float64 [1,3]"),
        ("import numpy as np\ndef batches():\n    yield {'x': np.ones((1, 2)), 'labels': [1, 2]}", "2 labels"),
        ("import numpy as np\ndef batches():\n    yield {'x': np.ones((1, 2)), 'labels': ['a']}", "labels of type"),
        ("def batches():\n    yield 1 / 0", "ZeroDivisionError: division by zero (line 2 of feed.py)"),
        ("import sys\ndef batches():\n    yield sys.exit(0)", "SystemExit: 0 (line 3 of feed.py)"),
        ("def batches():\n    yield {}['a']", "KeyError: 'a' (line 2 of feed.py)"),
    ],
)
def test_what_it_must_not_give(tmp_path, code, said):
    data = data_of(tmp_path, code, "batches")
    with pytest.raises(BadInputError, match=r"feed\.py:batches") as caught:
        list(data.feed(data.split.calibration, None))
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def other(): pass", "there is no function 'batches' in feed.py; there is: other"),
        ("batches = 3", "there is no function 'batches'"),
        ("1 +", "feed.py cannot be imported: SyntaxError"),
        ("raise SystemExit(0)", "feed.py cannot be imported: SystemExit: 0"),
        ("import nothing_of_this_name", "ModuleNotFoundError: No module named 'nothing_of_this_name' (line 1 of"),
    ],
)
def test_files_without_it(tmp_path, code, said):
    with pytest.raises(BadInputError) as caught:
        data_of(tmp_path, code, "batches")
    assert said in caught.value.message


def test_it_may_import_what_lies_beside_it(tmp_path):
    (tmp_path / "beside_the_feed.py").write_text("WIDTH = 2")
    code = "import numpy as np\nfrom beside_the_feed import WIDTH\ndef batches(): return np.ones((1, WIDTH))"
    data = data_of(tmp_path, code, "batches")
    assert next(iter(data.feed(data.split.calibration, None)))["x:0"].dtype == np.float32
