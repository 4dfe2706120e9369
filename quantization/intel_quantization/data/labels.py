"""Labels from a file of their own: of images by name, or of rows in their order."""

from __future__ import annotations

import csv
import os

import numpy as np

from intel_quantization.data.array_file import EXTENSIONS, stored_arrays
from intel_quantization.data.images import Image, Images
from intel_quantization.errors import BadInputError

_FILE_COLUMNS = ("file", "filename", "file_name", "image", "image_id", "imageid", "path", "name")
_LABEL_COLUMNS = ("label", "class", "class_id", "classid", "category", "category_id", "target", "y")
_MOST_DIGITS = 9
_FORM = "expected a line 'NAME LABEL' for each image, or a CSV file with the columns file and label"


def labelled(images: Images, root: str, path: str) -> tuple[Images, bool]:
    """The images of a folder with the labels that a file gives them.

    Args:
        images: of a flat folder, or of class folders, which then do not count.
        root: the folder; names in the file are relative to it, or without any folder.
        path: the file.

    Returns:
        The images, and whether the labels are numbers. Others are numbered in the order of their names, as
        class folders are, and are the images' ``classes``.

    Raises:
        BadInputError: the file cannot be read, or an image has no label, or several.
    """
    found = _read(path)
    texts = []
    for image in images.files:
        name = os.path.relpath(image.path, root).replace(os.sep, "/")
        text = found.get(name, found.get(os.path.basename(name), found.get(os.path.splitext(name)[0])))
        if text is None:
            raise BadInputError(
                f"{path} has no label for {name} (it has {len(found)} labels, as for {next(iter(found))})", _FORM
            )
        texts.append(text)
    if all(_is_number(text) for text in texts):
        files = tuple(Image(image.path, _read_number(text, path)) for image, text in zip(images.files, texts))
        return Images(files, (), images.ignored), True
    classes = tuple(sorted(set(found.values())))
    number = {name: index for index, name in enumerate(classes)}
    files = tuple(Image(image.path, number[text]) for image, text in zip(images.files, texts))
    return Images(files, classes, images.ignored), False


def row_labels(path: str, rows: int) -> np.ndarray:
    """Labels of an array's rows, int64 [rows], or [rows, height, width] of pixels.

    They are in a .npy or .npz file, or in a text with a number a line.

    Raises:
        BadInputError: the file cannot be read, or has not as many whole numbers.
    """
    if path.lower().endswith(EXTENSIONS):
        arrays = stored_arrays(path)
        if len(arrays) != 1:
            raise BadInputError(f"{path} has {len(arrays)} arrays", "give a file with the labels alone")
        (array,) = arrays.values()
        if array.dtype.kind not in "iu":
            raise BadInputError(f"{path} has labels of type {array.dtype}", "expected a whole number a row")
        if len(array.shape) == 3 and array.shape[0] == rows:
            return array.whole().astype(np.int64, copy=False)
        values = array.whole().reshape(-1)
    else:
        words = [line.replace(",", " ").split() for line in _read_lines(path)]
        texts = [found[-1] for found in words if found]
        if not all(_is_number(text) for text in texts):
            raise BadInputError(f"{path} has other lines than numbers", "expected a number a line, for each row")
        values = np.array([_read_number(text, path) for text in texts], np.int64)
    if values.dtype.kind not in "iu" or len(values) != rows:
        raise BadInputError(
            f"{path} has {len(values)} labels of type {values.dtype} for {rows} rows", "expected a whole number a row"
        )
    return values.astype(np.int64)


def _is_number(text: str) -> bool:
    # "²" and other alphabets' digits are no numbers of classes
    return text.isdigit() and text.isascii()


def _read_number(text: str, path: str) -> int:
    if len(text.lstrip("0")) > _MOST_DIGITS:
        raise BadInputError(f"{path} has the label {text[:40]}, which is no number of a class", _FORM)
    return int(text)


def _read_lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8-sig") as stream:
            return stream.read().splitlines()
    except OSError as error:
        raise BadInputError(f"cannot read the labels {path}: {error.strerror}", "check --labels") from None
    except UnicodeDecodeError:
        raise BadInputError(f"{path} is no text", _FORM) from None


def _read(path: str) -> dict[str, str]:
    """Labels by the names of images."""
    lines = [line for line in _read_lines(path) if line.strip() and not line.startswith("#")]
    try:
        rows = _csv_rows(lines) if path.lower().endswith((".csv", ".tsv")) else [line.rsplit(None, 1) for line in lines]
    except csv.Error as error:
        raise BadInputError(f"{path} is no CSV file: {error}", _FORM) from None
    result: dict[str, str] = {}
    for row in rows:
        if len(row) != 2 or not all(text.strip() for text in row):
            raise BadInputError(f"{path} has the line {' '.join(row)[:80]!r}", _FORM)
        name, label = row[0].strip().lstrip("./"), row[1].strip()
        if result.setdefault(name, label) != label:
            raise BadInputError(f"{path} has two labels for {name}: {result[name]} and {label}", "remove one of them")
    if not result:
        raise BadInputError(f"there are no labels in {path}", _FORM)
    return result


def _csv_rows(lines: list[str]) -> list[list[str]]:
    """The columns of names and labels: by the first line, if that has their titles, else the first two."""
    if not lines:
        return []
    delimiter = max("\t;,", key=lines[0].count)
    rows = list(csv.reader(lines, delimiter=delimiter))
    titles = [title.strip().lower() for title in rows[0]]
    name = next((titles.index(each) for each in _FILE_COLUMNS if each in titles), None)
    label = next((titles.index(each) for each in _LABEL_COLUMNS if each in titles), None)
    if name is None or label is None:
        return [row[:2] for row in rows]
    return [[row[name], row[label]] for row in rows[1:] if max(name, label) < len(row)]
