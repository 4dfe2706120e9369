"""Labels of images in a file of their own."""

from __future__ import annotations

import numpy as np
import pytest

from intel_quantization.data.images import Image, Images
from intel_quantization.data.labels import labelled, row_labels
from intel_quantization.errors import BadInputError

IMAGES = Images(tuple(Image("/data/" + name) for name in ("a b.jpg", "c.jpg", "sub/d.jpg")))


def labels_of(tmp_path, text, name="labels.txt"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    images, numbered = labelled(IMAGES, "/data", str(path))
    return [image.label for image in images.files], images.classes, numbered


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("l.txt", "a b.jpg 7\nc.jpg   3\nsub/d.jpg\t5\n"),
        ("l.txt", "# names\n\na b 7\nc 3\n./sub/d.jpg 5\nmore.jpg 9"),
        ("l.txt", "\ufeffd.jpg 5\nc.jpg 3\na b.jpg 7\n"),
        ("l.csv", "file,label\na b.jpg,7\nc.jpg,3\nd.jpg,5\n"),
        ("l.csv", "author,class,filename\nx,7,a b.jpg\ny,3,c.jpg\nz,5,sub/d.jpg\n"),
        ("l.csv", 'Image;Label\n"a b.jpg";7\nc.jpg;3\nd.jpg;5\n'),
        ("l.csv", "a b.jpg,7\nc.jpg,3\nd.jpg,5\n"),
        ("l.tsv", "a b.jpg\t7\nc.jpg\t3\nd.jpg\t5\n"),
    ],
)
def test_numbers(tmp_path, name, text):
    assert labels_of(tmp_path, text, name) == ([7, 3, 5], (), True)


def test_names_are_numbered_in_their_order(tmp_path):
    text = "a b.jpg zebra\nc.jpg ape\nd.jpg zebra\nmore.jpg bee\n"
    assert labels_of(tmp_path, text) == ([2, 0, 2], ("ape", "bee", "zebra"), False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("c.jpg 3\nd.jpg 4\n", "no label for a b.jpg"),
        ("", "no labels"),
        ("alone\n", "has the line 'alone'"),
        ("c.jpg 3\nc.jpg 4\n", "two labels for c.jpg: 3 and 4"),
    ],
)
def test_files_that_do_not_do(tmp_path, text, said):
    with pytest.raises(BadInputError, match=r"labels\.txt") as caught:
        labels_of(tmp_path, text)
    assert said in caught.value.message
    assert "file and label" in caught.value.remedy or "remove one" in caught.value.remedy


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(BadInputError, match="cannot read the labels"):
        labelled(IMAGES, "/data", str(tmp_path / "none"))
    (tmp_path / "l.txt").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(BadInputError, match="is no text"):
        labelled(IMAGES, "/data", str(tmp_path / "l.txt"))


@pytest.mark.parametrize("digits", [10, 25, 5000])
def test_numbers_of_no_class(tmp_path, digits):
    with pytest.raises(BadInputError, match=r"labels\.txt has the label 9+, which is no number of a class"):
        labels_of(tmp_path, "a b.jpg {}\nc.jpg 1\nd.jpg 2\n".format("9" * digits))
    rows = tmp_path / "rows.txt"
    rows.write_text("1\n{}\n".format("9" * digits))
    with pytest.raises(BadInputError, match=r"rows\.txt has the label 9+, which is no number of a class"):
        row_labels(str(rows), 2)


def test_digits_that_are_none(tmp_path):
    found = labels_of(tmp_path, "a b.jpg ²\nc.jpg 1\nd.jpg ٣\n")
    assert found == ([1, 0, 2], ("1", "²", "٣"), False)
    rows = tmp_path / "rows.txt"
    rows.write_text("1\n²\n", encoding="utf-8")
    with pytest.raises(BadInputError, match="other lines than numbers"):
        row_labels(str(rows), 2)


def test_a_line_of_commas(tmp_path):
    rows = tmp_path / "rows.txt"
    rows.write_text("1\n,,\n2\n")
    assert row_labels(str(rows), 2).tolist() == [1, 2]


def test_a_field_that_is_too_long(tmp_path):
    with pytest.raises(BadInputError, match=r"l\.csv is no CSV file: field larger"):
        labels_of(tmp_path, 'a b.jpg,1\nc.jpg,"{}"\n'.format("x" * 200_000), "l.csv")


def test_empty_arrays_of_labels(tmp_path):
    for shape in ((0,), (2, 0), (0, 2)):
        np.save(str(tmp_path / "l.npy"), np.zeros(shape, np.int64))
        with pytest.raises(BadInputError, match="0 labels of type int64 for 2 rows"):
            row_labels(str(tmp_path / "l.npy"), 2)


def test_arrays_of_other_labels(tmp_path):
    for values in (np.zeros(2, "S1"), np.zeros(2, np.float32)):
        np.save(str(tmp_path / "l.npy"), values)
        with pytest.raises(BadInputError, match="labels of type"):
            row_labels(str(tmp_path / "l.npy"), 2)
