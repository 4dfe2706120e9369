"""Finding images, numbering classes, and dividing them between calibration and evaluation."""

from __future__ import annotations

from collections import Counter

import pytest

from intel_quantization.data.images import Image, discover, shuffled, split
from intel_quantization.errors import BadInputError


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_a_flat_folder_has_no_labels(tmp_path):
    touch(tmp_path, "b.JPG", "a.png", "c.gif", "d.bmp", "e.jpeg", "notes.txt", ".hidden.png")
    found = discover(str(tmp_path))
    assert [image.path for image in found.files] == [
        str(tmp_path / name) for name in ("a.png", "b.JPG", "c.gif", "d.bmp", "e.jpeg")
    ]
    assert {image.label for image in found.files} == {None}
    assert found.classes == ()


def test_class_folders_are_numbered_by_name(tmp_path):
    touch(tmp_path, "zebra/1.png", "ape/1.png", "ape/deep/2.png", ".cache/x.png")
    found = discover(str(tmp_path))
    assert found.classes == ("ape", "zebra")
    assert [(image.path[len(str(tmp_path)) + 1 :], image.label) for image in found.files] == [
        ("ape/1.png", 0),
        ("ape/deep/2.png", 0),
        ("zebra/1.png", 1),
    ]


def test_numbers_are_sorted_as_numbers_and_empty_classes_count(tmp_path):
    touch(tmp_path, "10/x.png", "2/x.png")
    (tmp_path / "3").mkdir()
    found = discover(str(tmp_path))
    assert found.classes == ("2", "3", "10")
    assert [image.label for image in found.files] == [0, 2]


def test_a_link_to_a_folder_above_does_not_go_round_for_ever(tmp_path):
    touch(tmp_path, "a/x.png", "b/y.png")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    assert len(discover(str(tmp_path)).files) == 2


@pytest.mark.parametrize("names", [[], ["readme.txt"], ["sub/readme.txt"]])
def test_no_images_is_an_error_that_says_what_was_sought(tmp_path, names):
    touch(tmp_path, *names)
    with pytest.raises(BadInputError, match=r"no images in .*\.png, \.jpg"):
        discover(str(tmp_path))


def test_sub_folders_beside_images_are_counted_as_ignored(tmp_path):
    touch(tmp_path, "a.png", "class/b.png")
    assert discover(str(tmp_path)).ignored == 1


def test_a_link_that_leads_nowhere_is_named(tmp_path):
    (tmp_path / "a.jpg").symlink_to(tmp_path / "elsewhere.jpg")
    with pytest.raises(BadInputError, match=r"a\.jpg is a symlink that leads nowhere"):
        discover(str(tmp_path))


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(BadInputError, match="cannot read the dataset folder"):
        discover(str(tmp_path / "none"))


def some(counts):
    return tuple(Image(f"{label}/{n}", label) for label, count in counts.items() for n in range(count))


@pytest.mark.parametrize(
    ("images", "samples", "evaluate", "expected"),
    [
        (1000, None, None, (100, 500)),
        (150, None, None, (75, 75)),
        (30, None, None, (15, 15)),
        (1, None, None, (1, 0)),
        (30, 10, None, (10, 20)),
        (30, 10, 5, (10, 5)),
        (30, 10, 0, (10, 0)),
        (30, 50, None, (30, 0)),
    ],
)
def test_how_many_go_where(images, samples, evaluate, expected):
    parts = split(some({None: images}), samples, evaluate)
    assert (len(parts.calibration), len(parts.evaluation)) == expected
    assert not set(parts.calibration) & set(parts.evaluation)


def test_every_prefix_has_the_classes_by_their_shares():
    order = shuffled(some({0: 100, 1: 50, 2: 10}))
    assert Counter(image.label for image in order) == {0: 100, 1: 50, 2: 10}
    first = Counter(image.label for image in order[:80])
    assert first[0] == pytest.approx(50, abs=1)
    assert first[1] == pytest.approx(25, abs=1)
    assert first[2] == pytest.approx(5, abs=1)


def test_the_seed_determines_the_order():
    files = some({0: 20, 1: 20})
    assert shuffled(files, 1) == shuffled(files, 1)
    assert shuffled(files, 1) != shuffled(files, 2)
    assert shuffled(files) != files


def test_class_folders_of_many_digits(tmp_path):
    touch(tmp_path, "{}/1.png".format("9" * 255), "10/1.png", "0010/1.png", "9/1.png", "{}/1.png".format("1" * 200))
    assert discover(str(tmp_path)).classes == ("9", "0010", "10", "1" * 200, "9" * 255)


def test_class_folders_of_other_digits_are_names(tmp_path):
    touch(tmp_path, "²/1.png", "10/1.png", "9/1.png")
    assert discover(str(tmp_path)).classes == ("10", "9", "²")
