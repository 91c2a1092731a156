"""Images of two domains, from folders and from arrays of any two sizes."""

import logging

import numpy as np
import pytest
from PIL import Image

from keras_gan import datasets
from keras_gan.datasets.order import Order, find

COUNTS = {"a": 10, "b": 4}


def picture(number, size=(8, 10)):
    """Makes a picture that encodes the place of a window: rows in red, columns in green, its number in blue."""
    pixels = np.zeros((*size, 3), "uint8")
    pixels[..., 0], pixels[..., 1] = 10 * np.arange(size[0])[:, None], 10 * np.arange(size[1])
    pixels[..., 2] = number
    return pixels


ARRAYS = {"a": np.stack([picture(i) for i in range(10)]), "b": np.stack([picture(i + 100) for i in range(4)])}


@pytest.fixture
def folders(tmp_path):
    for name, pixels in ARRAYS.items():
        (tmp_path / name).mkdir()
        for i, each in enumerate(pixels):
            Image.fromarray(each).save(tmp_path / name / f"{i}.png")
    return [tmp_path / name for name in ARRAYS]


def load(a=ARRAYS["a"], b=ARRAYS["b"], **options):
    return datasets.load_unpaired(a, b, **{"batch_size": 3, "seed": 5, **options})


def epoch(dataset, steps=3):
    """Returns the bytes of an epoch's images of both domains."""
    for order in find(dataset):
        order.begin(steps)
    batches = [[np.asarray(part) for part in batch] for batch in dataset]
    assert all(part.dtype == np.float32 for batch in batches for part in batch)
    assert all(len(a) == len(b) for a, b in batches)
    return [np.round(np.concatenate(part) * 127.5 + 127.5).astype(int) for part in zip(*batches, strict=True)]


def numbers(images):
    return images[:, 0, 0, 2]


def test_an_epoch_takes_the_larger_set_once_and_the_smaller_one_again_and_again(folders, caplog):
    for name, data in {"folders": folders, "arrays": ARRAYS.values(), "one of each": (folders[0], ARRAYS["b"])}.items():
        caplog.clear()
        with caplog.at_level(logging.INFO, "keras_gan"):
            dataset = load(*data)
        (record,) = caplog.records
        assert record.message == "An epoch takes 10 images of A once and 4 images of B 2.5 times, 10 of each domain."
        assert len(dataset) == 4 and len(find(dataset)) == 2 and not dataset.options().autotune.enabled, name
        a, b = map(numbers, epoch(dataset))
        assert sorted(a) == list(range(10))
        # Two whole rounds in two orders, and half of a third.
        assert sorted(b[:4]) == sorted(b[4:8]) == [100, 101, 102, 103] and len(set(b[8:])) == 2
        assert list(b[:4]) != list(b[4:8])
    turned = [numbers(part) for part in epoch(load(*folders[::-1]))]
    assert sorted(turned[1]) == list(range(10)) and len(turned[0]) == 10


def test_sets_of_one_size_come_in_two_orders(caplog):
    with caplog.at_level(logging.INFO, "keras_gan"):
        a, b = map(numbers, epoch(load(ARRAYS["a"], ARRAYS["a"])))
    assert not caplog.records and sorted(a) == sorted(b) == list(range(10)) and list(a) != list(b)


def test_orders_follow_from_seed_and_step():
    options = {"image_size": (5, 7), "crop": 3, "flip": True}
    dataset, again, other = (load(seed=seed, **options) for seed in (5, 5, 6))
    first = epoch(dataset, 10)
    epoch(dataset, 20)
    for same in (dataset, again):
        for found, expected in zip(epoch(same, 10), first, strict=True):
            np.testing.assert_array_equal(found, expected)
    for i in range(2):
        assert (epoch(other, 10)[i] != first[i]).any() and (epoch(dataset, 20)[i] != first[i]).any()
    # A run interrupted after two batches resumes there.
    np.testing.assert_array_equal(epoch(again.skip(2), 10)[1], first[1][6:])


def test_windows_of_both_are_drawn_apart():
    found = []
    dataset = load(image_size=(5, 7), crop=3, flip=True)
    for steps in range(20):
        a, b = epoch(dataset, steps)
        assert a.shape == b.shape == (10, 5, 7, 3)
        found.append([[x[:, 0, 0, 0] // 10, x[:, 0, 0, 1] > x[:, 0, -1, 1]] for x in (a, b)])
    (top_a, mirrored_a), (top_b, mirrored_b) = np.concatenate(found, axis=-1)
    for top, mirrored in ((top_a, mirrored_a), (top_b, mirrored_b)):
        counts = np.bincount(top, minlength=4)
        assert len(counts) == 4 and counts.min() > 25 and counts.max() < 75 and 70 < mirrored.sum() < 130
    assert 20 < np.sum(top_a == top_b) < 80 and 70 < np.sum(mirrored_a == mirrored_b) < 130


def test_splits_hold_out_a_part_of_both(folders):
    for data in (folders, ARRAYS.values()):
        train, held = (
            [set(numbers(part)) for part in epoch(load(*data, split=split))] for split in ("train[:-2]", "train[-2:]")
        )
        for i, everything in enumerate((range(10), range(100, 104))):
            assert len(held[i]) == 2 and not train[i] & held[i] and train[i] | held[i] == set(everything)


def test_sizes_channels_and_caches(folders, tmp_path):
    a, b = epoch(load(*folders, image_size=4, channels=(1, 4), cache=tmp_path / "place"))
    assert a.shape == (10, 4, 4, 1) and b.shape == (10, 4, 4, 4) and (b[..., 3] == 255).all()
    expected = epoch(load(*folders, image_size=4, channels=(1, 4), cache=False))
    np.testing.assert_array_equal(a, expected[0])
    np.testing.assert_array_equal(b, expected[1])
    assert len(list((tmp_path / "place").rglob("images"))) == 2
    assert epoch(load(*folders, channels=1))[1].shape == (10, 8, 10, 1)
    # Floats with another range.
    for found, part in zip(epoch(load(ARRAYS["a"] / 255, ARRAYS["b"] / 127.5 - 1)), epoch(load()), strict=True):
        np.testing.assert_array_equal(found, part)


def test_names_of_sets():
    digits, b = epoch(datasets.load_unpaired("digits", ARRAYS["b"], batch_size=100, image_size=8, split="train"))
    assert digits.shape == (4000, 8, 8, 1) and b.shape == (4000, 8, 8, 3)


def test_each_worker_reads_its_part_of_each_batch():
    from keras_gan.keras_private import parts_of

    dataset, parts = load(), parts_of(load())
    whole, halves = epoch(dataset), [epoch(parts(i, 2)) for i in range(2)]
    for domain in range(2):
        joined = [
            np.concatenate([halves[0][domain][2 * i : 2 * i + 2], halves[1][domain][i : i + 1]]) for i in range(3)
        ]
        np.testing.assert_array_equal(np.concatenate(joined), whole[domain][:9])


def test_an_order_that_goes_round():
    np.testing.assert_array_equal(Order(7, 50).draw(), Order(7, 50, length=50).draw())
    drawn = Order(7, 5, 2, with_numbers=True, length=12).draw()
    assert drawn.shape == (12, 2, 2) and len(np.unique(drawn[..., 1])) == 24
    for column in drawn[..., 0].T:
        assert sorted(column[:5]) == sorted(column[5:10]) == list(range(5)) and len(set(column[10:])) == 2


def test_what_can_not_be_loaded_is_refused(folders, tmp_path):
    a, b = folders
    (tmp_path / "a" / "inner").mkdir()
    Image.fromarray(picture(0)).save(tmp_path / "a" / "inner" / "0.png")
    for change, error, message in (
        ({"a": tmp_path / "none", "b": b}, ValueError, r"^a must be a folder that exists\. Received: '.*none'"),
        ({"a": "zebras", "b": b}, ValueError, r"^a must be a known dataset.*There is no folder of that name"),
        ({"b": 3}, TypeError, r"^b must be the path of a folder, an array, or a name.*Received: a int"),
        ({"a": a, "b": a}, ValueError, r"neither inside the other"),
        ({"a": a, "b": a / "inner"}, ValueError, r"neither inside the other"),
        ({"b": ARRAYS["b"][:, :7]}, ValueError, r"image_size must be given.*\(8, 10\) and \(7, 10\)"),
        ({"channels": 3}, ValueError, r"channels must be None for arrays"),
        ({"a": a, "b": b, "channels": 2}, ValueError, r"channels must be 1 \(gray\)"),
        ({"a": a, "b": b, "channels": (1, 3, 3)}, ValueError, r"channels must be 1, 3 or 4, or a pair"),
        ({"cache": True}, ValueError, r"cache must be None for arrays"),
        ({"crop": 2}, ValueError, r"crop needs image_size"),
        ({"batch_size": 0}, ValueError, r"batch_size must be a positive integer"),
        ({"split": "test"}, ValueError, r"split of a set must be 'train'"),
        ({"a": ARRAYS["a"][:0]}, ValueError, r"a must hold at least one image"),
    ):
        with pytest.raises(error, match=message):
            load(**change)
