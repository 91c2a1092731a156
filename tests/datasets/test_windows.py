"""Flips and crops while images are read."""

import numpy as np
import pytest
from PIL import Image

from keras_gan import datasets
from keras_gan.datasets.order import Order, find

N, CROP = 40, 3


@pytest.fixture
def folder(tmp_path):
    """40 pictures of 8x9 that encode the place of a window: rows in red, columns in green, their number in blue."""
    root = tmp_path / "pictures"
    for name in ("even", "odd"):
        (root / name).mkdir(parents=True)
    for i in range(N):
        picture = np.zeros((8, 9, 3), "uint8")
        picture[..., 0], picture[..., 1], picture[..., 2] = 10 * np.arange(8)[:, None], 10 * np.arange(9), i
        Image.fromarray(picture).save(root / ("even", "odd")[i % 2] / f"{i:02}.png")
    return root


def load(folder, **options):
    return datasets.load(
        f"folder:{folder}", 7, **{"seed": 5, "image_size": (5, 6), "crop": CROP, "flip": True, **options}
    )


def epoch(dataset, steps):
    """Returns the bytes of an epoch's images."""
    (order,) = find(dataset)
    order.begin(steps)
    return np.round(np.concatenate(list(dataset)) * 127.5 + 127.5).astype(int)


def windows(images):
    """Returns each image's number, its window's top and left, and whether it is mirrored; checks whole windows."""
    found = []
    for image in images:
        mirrored = image[0, 0, 1] > image[0, -1, 1]
        image = image[:, ::-1] if mirrored else image
        top, left = image[0, 0, 0] // 10, image[0, 0, 1] // 10
        assert (image[..., 0] == 10 * (top + np.arange(image.shape[0]))[:, None]).all()
        assert (image[..., 1] == 10 * (left + np.arange(image.shape[1]))).all()
        assert (image[..., 2] == image[0, 0, 2]).all()
        found.append((image[0, 0, 2], top, left, mirrored))
    return np.array(found)


def test_windows_are_uniform_and_new_in_each_pass(folder):
    dataset = load(folder)
    assert dataset.element_spec.shape.as_list() == [None, 5, 6, 3]
    found = np.stack([windows(epoch(dataset, steps)) for steps in range(50)])
    assert (np.sort(found[..., 0], axis=1) == np.arange(N)).all()
    # 2,000 draws: each of four places, and of two sides, has its share within four standard deviations.
    for column, places in ((1, 4), (2, 4), (3, 2)):
        counts = np.bincount(found[..., column].ravel(), minlength=places)
        assert len(counts) == places
        assert np.abs(counts - 2000 / places).max() < 4 * (2000 * (places - 1)) ** 0.5 / places
    # A picture is seen in many ways, and the three draws are independent.
    first = found[found[..., 0] == 0][:, 1:]
    assert len({tuple(row) for row in first.tolist()}) > 15
    assert np.abs(np.corrcoef(found[..., 1:].reshape(-1, 3).T) - np.eye(3)).max() < 4 * 2000**-0.5


def test_what_is_drawn_follows_from_seed_and_step(folder):
    dataset, again, other = load(folder), load(folder), load(folder, seed=6)
    first = epoch(dataset, 10)
    epoch(dataset, 20)
    np.testing.assert_array_equal(epoch(dataset, 10), first)
    np.testing.assert_array_equal(epoch(again, 10), first)
    assert (epoch(other, 10) != first).any() and (epoch(dataset, 20) != first).any()
    # The second pass of an epoch differs, and a resumed run sees the same.
    twice = epoch(dataset.repeat(2), 10)
    np.testing.assert_array_equal(twice[:N], first)
    assert (windows(twice[N:])[:, 1:] != windows(twice[:N])[:, 1:]).any()
    np.testing.assert_array_equal(epoch(again.repeat(2).skip(8), 10), twice[8 * 7 - 2 :])


def test_a_cache_gives_the_same(folder, tmp_path):
    for options in ({}, {"stack": 2}, {"crop": 0}, {"flip": False}):
        expected = epoch(load(folder, **options), 3)
        np.testing.assert_array_equal(epoch(load(folder, cache=tmp_path / "place", **options), 3), expected)


def test_each_alone_and_labels(folder):
    plain = windows(epoch(load(folder, image_size=None, crop=0, flip=False), 4))
    flipped = windows(epoch(load(folder, image_size=None, crop=0), 4))
    cropped = windows(epoch(load(folder, flip=False), 4))
    # The order is the same as without them.
    assert (plain[:, 0] == flipped[:, 0]).all() and (plain[:, 0] == cropped[:, 0]).all()
    assert 8 < flipped[:, 3].sum() < 32 and (flipped[:, 1:3] == 0).all() and not plain[:, 1:].any()
    assert not cropped[:, 3].any() and len(np.unique(cropped[:, 1])) == len(np.unique(cropped[:, 2])) == 4
    stacked = epoch(load(folder, stack=2), 4)
    assert stacked.shape == (N, 5, 6, 6)
    assert (windows(stacked[..., :3])[:, 1:] != windows(stacked[..., 3:])[:, 1:]).any()
    for images, labels in load(folder, labels=True):
        np.testing.assert_array_equal(windows(np.round(images * 127.5 + 127.5).astype(int))[:, 0] % 2, labels)


def test_numbers_leave_the_order_as_it_is():
    plain, numbered = Order(7, 50, 3).draw(), Order(7, 50, 3, with_numbers=True).draw()
    np.testing.assert_array_equal(numbered[..., 0], plain)
    assert numbered.shape == (50, 3, 2) and numbered.dtype == np.int64 and (numbered >= 0).all()
    assert len(np.unique(numbered[..., 1])) == 150 and numbered[..., 1].max() > 2**62


def test_bad_windows(folder):
    with pytest.raises(ValueError, match=r"crop needs image_size.*Received: crop=3"):
        load(folder, image_size=None)
    for crop in (-1, 1.0, True, "2", None):
        with pytest.raises(ValueError, match="crop must be an integer >= 0"):
            load(folder, crop=crop)
    for flip in (1, 0.5, "yes", None):
        with pytest.raises(ValueError, match="flip must be True or False"):
            load(folder, flip=flip)
