"""A Python function of the user's as data: it gives feed dicts, one after the other."""

from __future__ import annotations

import importlib.util
import inspect
import os
import sys
import traceback
from typing import Any, Callable, Iterable, Iterator, Sequence

import numpy as np

from intel_quantization.data.class_scores import Labelling
from intel_quantization.data.dataset import Dataset, batch_of
from intel_quantization.data.feeds import Batch
from intel_quantization.data.given import FeedDict, as_feed
from intel_quantization.data.images import DEFAULT_EVALUATE, DEFAULT_SAMPLES, Image, Split
from intel_quantization.data.preprocess import Mode
from intel_quantization.data.truth import Mask
from intel_quantization.errors import BadInputError, QuantizationError
from intel_quantization.reading.interface import TensorInfo

_PLAIN = inspect.Parameter.POSITIONAL_OR_KEYWORD
LABELS = ("labels", "label")
"""Keys of a feed dict that are no inputs, but the labels of the batch."""


def function_data(
    path: str,
    name: str,
    inputs: Sequence[TensorInfo],
    samples: int | None = None,
    evaluate: int | None = None,
    data_location: str | None = None,
) -> Dataset:
    """What a function gives as data for a graph: the first samples calibrate, those behind them compare.

    Args:
        path: a Python file.
        name: of a function in it. It may take one argument: the path of the data, or None.
        inputs: the graph's inputs, TensorInfos.
        samples: to calibrate with, 100 by default; up to the end of a batch.
        evaluate: to compare on, 500 by default; up to the end of a batch.
        data_location: what the function is given.

    Raises:
        BadInputError: there is no such function.
    """
    function = load_function(path, name)
    call = (lambda: function(data_location)) if _takes_a_path(function, data_location) else function
    what = f"{os.path.basename(path)}:{name}"
    first = DEFAULT_SAMPLES if samples is None else samples
    second = DEFAULT_EVALUATE if evaluate is None else evaluate
    split = Split(Window(0, first), Window(first, second))

    def make_feed(part: Window, _mode: Mode, _batch_size: int | None) -> FunctionFeed:
        return FunctionFeed(call, what, inputs, part)

    return Dataset(f"the function {what}", None, split, Labelling(numbered=True), None, make_feed, unit="samples")


class Window:
    """So many samples behind so many others; slices take from its beginning."""

    def __init__(self, start: int, count: int) -> None:
        self.start = start
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, which: slice) -> Window:
        return Window(self.start, len(range(*which.indices(self._count))))


class FunctionFeed:
    """The feeds that a function gives; each iteration calls it again.

    Args:
        call: a callable without arguments; see :func:`intel_quantization.data.given.as_feed` for what
            it may return. Feed dicts may also have ``labels``, whole numbers [batch].
        what: what to call it in messages.
        inputs: TensorInfos.
        window: which samples; begins and ends with whole batches.
    """

    mode = "none"
    batch_size = None

    def __init__(self, call: Callable[[], Any], what: str, inputs: Sequence[TensorInfo], window: Window) -> None:
        self._call = call
        self._what = what
        self._inputs = inputs
        self._window = window
        self._flags = {info.name: np.zeros((), bool) for info in inputs if info.dtype == "bool" and not info.shape}

    def __iter__(self) -> Iterator[FeedDict]:
        return (batch.feed for batch in self.batches())

    def batches(self) -> Iterator[Batch]:
        """The feeds together with what samples they hold, as Batch objects.

        Raises:
            BadInputError: the function fails, or gives what does not fit the graph.
        """
        skipped = taken = 0
        for feed, labels in self._walk_all():
            count = batch_of(feed)
            if skipped < self._window.start:
                skipped += count
                continue
            if taken >= len(self._window):
                return
            taken += count
            yield Batch(feed, self._make_images(labels, count))

    def _make_images(self, labels: Any, count: int) -> tuple[Image, ...]:
        if labels is None:
            return (Image(self._what),) * count
        rows = np.asarray(labels)
        if rows.ndim == 3 and rows.dtype.kind in "iu" and len(rows) == count:
            return tuple(Image(self._what, truth=Mask(row)) for row in rows)
        if rows.dtype.kind == "f" and rows.ndim and len(rows) == count:  # for a metric of the user's
            return tuple(Image(self._what, truth=row) for row in rows)
        numbers = rows.reshape(-1)
        if numbers.dtype.kind not in "iu" or len(numbers) != count:
            raise BadInputError(
                f"{self._what} gives {len(numbers)} labels of type {numbers.dtype} for {count} samples",
                "give a whole number for each sample, or for each of its pixels, or no labels",
            )
        return tuple(Image(self._what, int(number)) for number in numbers)

    def _walk_all(self) -> Iterator[tuple[FeedDict, Any]]:
        """(feed dict, labels or None) of every batch."""
        labels: list[Any] = []
        feeds = None
        others = [info for info in self._inputs if info.name not in self._flags]
        while True:
            try:
                if feeds is None:  # this calls the function
                    feeds = as_feed(lambda: self._without_labels(labels), others)
                feed = next(feeds)
            except StopIteration:
                return
            except QuantizationError as error:
                raise type(error)(f"{self._what}: {error.message}", error.remedy) from None
            except (Exception, SystemExit) as error:  # anything can be wrong with the user's own code
                raise BadInputError(f"{self._what} failed: {told_error(error)}", "correct the function") from error
            yield dict(self._flags, **feed), labels.pop() if labels else None

    def _without_labels(self, labels: list[Any]) -> Any:
        result = self._call()
        if result is None:
            raise BadInputError("it gives None", "yield feed dicts: {'INPUT': array}")
        if isinstance(result, dict):
            result = [result]
        if isinstance(result, np.ndarray) or not hasattr(result, "__iter__"):
            return result  # the latter is refused by name
        return self._taken_apart(result, labels)

    def _taken_apart(self, items: Iterable[Any], labels: list[Any]) -> Iterator[Any]:
        names = {info.name.rsplit(":", 1)[0] for info in self._inputs}
        for given in items:
            item = given
            key = next((key for key in LABELS if isinstance(item, dict) and key in item and key not in names), None)
            labels[:] = []
            if key is not None:
                item = dict(item)
                labels.append(item.pop(key))
            yield item


def load_function(path: str, name: str, option: str = "--data_function") -> Callable[..., Any]:
    """A function of a Python file, which is imported; what lies beside the file can be imported by it.

    Args:
        path: the file.
        name: of the function.
        option: by which it was given.

    Raises:
        BadInputError: the file cannot be imported, or has no such function.
    """
    folder = os.path.dirname(os.path.abspath(path))
    if folder not in sys.path:
        sys.path.insert(0, folder)  # so that it can import what lies beside it
    spec = importlib.util.spec_from_file_location(option.lstrip("-"), path)
    if spec is None or spec.loader is None:
        raise BadInputError(f"{path} is no Python file", f"give {option} FILE.py:FUNCTION")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # anything can be wrong with the user's own code
        raise BadInputError(
            f"{os.path.basename(path)} cannot be imported: {told_error(error)}", "correct it"
        ) from error
    function = getattr(module, name, None)
    if not callable(function):
        known = sorted(key for key, value in vars(module).items() if inspect.isfunction(value))
        there = ", ".join(known[:8]) or "none"
        raise BadInputError(
            f"there is no function {name!r} in {os.path.basename(path)}; there is: {there}",
            f"give {option} FILE.py:FUNCTION",
        )
    return function


def _takes_a_path(function: Callable[..., Any], path: str | None) -> bool:
    """Whether the function has an argument for the path, and cannot or need not be called without."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # a builtin
        return False
    if not parameters or parameters[0].kind not in (inspect.Parameter.POSITIONAL_ONLY, _PLAIN):
        return False
    return path is not None or parameters[0].default is inspect.Parameter.empty


def told_error(error: BaseException) -> str:
    """For people, the error and the line of the user's code that it came from."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" (line {frames[-1].lineno} of {os.path.basename(frames[-1].filename)})" if frames else ""
    text = str(error).split("\n")[0][:200]
    return f"{type(error).__name__}: {text}{where}"
