"""Pairs of images, from folders and from arrays."""

import json
import logging
import os
import re

import numpy as np
import pytest
from PIL import Image

from keras_gan import datasets
from keras_gan.datasets import cache, memory
from keras_gan.datasets.order import find
from keras_gan.datasets.split import select
from keras_gan.keras_private import parts_of

N = 24
NAMES = [f"{'xy'[i % 2]}/{i:02}" for i in range(N)]


def picture(number, scale=1):
    """Makes a picture that encodes the place of a window: rows in red, columns in green, its number in blue."""
    pixels = np.zeros((8 * scale, 10 * scale, 3), "uint8")
    pixels[..., 0], pixels[..., 1] = 10 * np.arange(8 * scale)[:, None], 10 * np.arange(10 * scale)
    pixels[..., 2] = number
    return pixels


def write(root, arrays, suffix=".png"):
    """Writes pictures under the names of the pairs."""
    for name, pixels in zip(NAMES, arrays, strict=True):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(f"{root / name}{suffix}")
    return root


SOURCES = [picture(i) for i in range(N)]
TARGETS = [picture(i + 100) for i in range(N)]
LARGE = [picture(i + 100, scale=2) for i in range(N)]


@pytest.fixture
def a(tmp_path):
    return write(tmp_path / "a", SOURCES)


@pytest.fixture
def b(tmp_path):
    return write(tmp_path / "b", TARGETS, ".bmp")


def load(a, b=None, **options):
    return datasets.load_pairs(a, b, **{"batch_size": 7, "seed": 5, **options})


def epoch(dataset, steps=3):
    """Returns the bytes of an epoch's sources and targets."""
    (order,) = find(dataset)
    order.begin(steps)
    batches = [[np.asarray(part) for part in batch] for batch in dataset]
    assert all(part.dtype == np.float32 for batch in batches for part in batch)
    return [np.round(np.concatenate(part) * 127.5 + 127.5).astype(int) for part in zip(*batches, strict=True)]


def windows(images):
    """Returns each image's number, its window's top and left, and whether it is mirrored; checks whole windows."""
    found = []
    for image in images:
        mirrored = image[0, 0, 1] > image[0, -1, 1]
        image = image[:, ::-1] if mirrored else image
        top, left, number = image[0, 0] // (10, 10, 1)
        assert (image[..., 0] == 10 * (top + np.arange(image.shape[0]))[:, None]).all()
        assert (image[..., 1] == 10 * (left + np.arange(image.shape[1]))).all()
        assert (image[..., 2] == number).all()
        found.append((number, top, left, mirrored))
    return np.array(found)


# === Two folders ===


def test_two_folders_are_matched_by_name(a, b):
    dataset = load(a, str(b))
    assert len(dataset) == 4 and not dataset.options().autotune.enabled
    assert [spec.shape.as_list() for spec in dataset.element_spec] == [[None, 8, 10, 3]] * 2
    sources, targets = (windows(part) for part in epoch(dataset))
    assert sorted(sources[:, 0]) == list(range(N)) and not sources[:, 1:].any() and not targets[:, 1:].any()
    np.testing.assert_array_equal(targets[:, 0], sources[:, 0] + 100)
    # Reversed, in the same order.
    for turned in (load(a, b, direction="b_to_a"), load(b, a)):
        found = epoch(turned)
        np.testing.assert_array_equal(windows(found[0]), targets)
        np.testing.assert_array_equal(windows(found[1]), sources)


def test_sizes_and_channels(a, b):
    sources, targets = epoch(load(a, b, image_size=(4, 6), channels=1, target_channels=4))
    assert sources.shape == (N, 4, 6, 1) and targets.shape == (N, 4, 6, 4) and (targets[..., 3] == 255).all()
    expected = {datasets.pictures.fit(image, (4, 6)).tobytes() for image in TARGETS}
    assert {image[..., :3].astype("uint8").tobytes() for image in targets} == expected
    # Gray by luma, to which blue contributes little.
    np.testing.assert_allclose(sources[..., 0], targets[..., :3] @ (0.299, 0.587, 0.114) - 11.4, atol=2)
    turned = epoch(load(a, b, image_size=(4, 6), channels=1, target_channels=4, direction="b_to_a"))
    assert turned[0].shape == (N, 4, 6, 1) and (turned[1][..., 2] < 100).all()


def test_images_without_a_partner(a, b, caplog):
    for i in range(12):
        os.remove(f"{a / NAMES[i]}.png")
    os.remove(f"{b / NAMES[20]}.bmp")
    with pytest.raises(
        ValueError, match=r"Received: some without a partner, 1 of .*a \(x/20\) and 12 of .*b"
    ) as caught:
        load(a, b)
    listed = re.findall(r"[xy]/\d\d", str(caught.value))
    assert len(listed) == 11 and set(listed) < {NAMES[20], *NAMES[:12]} and "on_error='skip'" in str(caught.value)
    with caplog.at_level(logging.WARNING, "keras_gan"):
        sources, targets = epoch(load(a, b, on_error="skip"))
    assert sorted(windows(sources)[:, 0]) == [12, 13, 14, 15, 16, 17, 18, 19, 21, 22, 23]
    np.testing.assert_array_equal(windows(targets)[:, 0], windows(sources)[:, 0] + 100)
    (record,) = caplog.records
    assert "1 of" in record.message and "12 of" in record.message and "left out" in record.message


def test_bad_folders(a, b, tmp_path):
    (tmp_path / "empty").mkdir()
    other = write(tmp_path / "other", SOURCES)
    for i, name in enumerate(NAMES):
        os.rename(f"{other / name}.png", f"{other / name}_{i}.png")
    for first, second, error, message in (
        (a, tmp_path / "none", ValueError, r"^b must be a folder that exists\. Received: '.*none'"),
        ("", b, ValueError, r"^a must be a folder that exists\. Received: ''"),
        (a, tmp_path / "empty", ValueError, r"empty must hold images"),
        (a, a, ValueError, r"neither inside the other\. Received: .*a and .*a\. Pass b=None"),
        (a, a / "x", ValueError, r"neither inside the other\. Received: .*a and .*x\.$"),
        (tmp_path, b, ValueError, r"neither inside the other"),
        (a, other, ValueError, r"Received: no name in both, for example x/00\.png in .*a and x/00_0\.png in .*other"),
        (3, b, TypeError, r"^a must be the path of a folder, or an array\. Received: a int"),
        (a, [1], TypeError, r"^b must be the path of a folder"),
        (np.array(SOURCES), b, TypeError, r"a and b must both be arrays.*Received: a \w+Path for b"),
        (np.array(SOURCES), None, TypeError, r"Received: a NoneType for b"),
    ):
        with pytest.raises(error, match=message):
            load(first, second)
    Image.fromarray(TARGETS[0]).save(b / "x" / "00.png")
    with pytest.raises(
        ValueError,
        match=r"b must not hold images whose names differ only in the suffix. Received: 1 such \(x/00\.png\)",
    ):
        load(a, b, on_error="skip")


@pytest.mark.parametrize("cached", [False, True])
def test_what_can_not_be_read_in_either_folder(a, b, tmp_path, caplog, cached):
    place = tmp_path / "place" if cached else False
    (a / "x" / "02.png").write_bytes(b"no picture")
    (b / "y" / "05.bmp").write_bytes((b / "y" / "05.bmp").read_bytes()[:100])
    Image.fromarray(TARGETS[7][:, :5]).save(b / "y" / "07.bmp")
    for _ in range(2):
        with pytest.raises(ValueError, match=r"^3 of 24 pairs in .*a and .*b can't be used: x/02 ") as caught:
            load(a, b, cache=place)
    message = str(caught.value)
    assert "x/02 (x/02.png of a: not an image" in message and "y/05 (y/05.bmp of b: " in message
    assert "y/07 (10x8 and 5x8 pixels have different aspect ratios)" in message and "on_error='skip'" in message
    with caplog.at_level(logging.WARNING, "keras_gan"):
        found = epoch(load(a, b, cache=place, on_error="skip", direction="b_to_a"))
    targets, sources = map(windows, found)
    assert sorted(sources[:, 0]) == [i for i in range(N) if i not in (2, 5, 7)]
    np.testing.assert_array_equal(targets[:, 0], sources[:, 0] + 100)
    (record,) = caplog.records
    assert "3 of 24 pairs" in record.message and "left out" in record.message


def test_files_of_other_kinds(a, b):
    (b / "x" / "scan.tif").write_bytes(b"II*\0")
    with pytest.raises(ValueError, match=r"1 of 25 files in .*b are in formats other than BMP, GIF, JPEG, PNG, WEBP"):
        load(a, b)
    assert len(epoch(load(a, b, on_error="skip"))[0]) == N


# === Side by side ===


@pytest.fixture
def halves(tmp_path):
    return write(tmp_path / "halves", [np.concatenate(pair, axis=1) for pair in zip(SOURCES, TARGETS, strict=True)])


def test_halves(a, b, halves):
    expected = epoch(load(a, b))
    for one, other in ((load(halves), expected), (load(halves, direction="b_to_a"), expected[::-1])):
        for found, part in zip(epoch(one), other, strict=True):
            np.testing.assert_array_equal(found, part)
    # No pixel of one half gets into the other, and channels are those of each.
    options = {"image_size": (4, 6), "channels": 4, "direction": "b_to_a"}
    for found, part in zip(epoch(load(halves, **options)), epoch(load(a, b, **options)), strict=True):
        np.testing.assert_array_equal(found, part)


def test_halves_that_do_not_fit(halves):
    with pytest.raises(ValueError, match=r"image_size must be given.*scale=2"):
        load(halves, scale=2)
    Image.fromarray(picture(0)[:, :9]).save(halves / "x" / "00.png")
    with pytest.raises(ValueError, match=r"1 of 24 pairs in .*halves can't be used: x/00\.png \(9 pixels wide.*even"):
        load(halves, image_size=8)
    assert epoch(load(halves, image_size=(8, 10), scale=2, on_error="skip"))[0].shape == (N - 1, 4, 5, 3)


# === Windows ===


def arrays(a, b):
    return np.array(a), np.array(b)


@pytest.mark.parametrize(
    ("kind", "scale"),
    [("halves", 1), *((kind, scale) for kind in ("folders", "cache", "arrays", "floats", "part") for scale in (1, 2))],
)
def test_both_are_mirrored_and_cropped_alike(a, b, halves, tmp_path, kind, scale):
    options = {"image_size": (5 * scale, 7 * scale), "crop": 3 * scale, "flip": True, "scale": scale}
    if scale == 2:
        b = write(tmp_path / "large", LARGE)
    targets = LARGE if scale == 2 else TARGETS
    if kind == "halves":
        dataset = load(halves, **options)
    elif kind in ("folders", "cache"):
        dataset = load(a, b, cache=tmp_path / "place" if kind == "cache" else False, **options)
    else:
        sources, targets = arrays(SOURCES, targets)
        if kind == "floats":
            sources, targets = sources / 255, (targets / 127.5 - 1).astype("float32")
        dataset = load(sources, targets, split="train[:-4]" if kind == "part" else "train", **options)
    found = [[windows(part) for part in epoch(dataset, steps)] for steps in range(20)]
    sources, targets = np.concatenate(found, axis=1)
    np.testing.assert_array_equal(targets[:, 0], sources[:, 0] + 100)
    np.testing.assert_array_equal(targets[:, 1:3], scale * sources[:, 1:3])
    np.testing.assert_array_equal(targets[:, 3], sources[:, 3])
    # All places, and both sides.
    count = len(sources)
    assert count == 20 * (N - 4 if kind == "part" else N)
    for column, places in ((1, 4), (2, 4), (3, 2)):
        counts = np.bincount(sources[:, column], minlength=places)
        assert len(counts) == places and np.abs(counts - count / places).max() < 5 * count**0.5 / 2


def test_mirrors_or_windows_alone(a, b):
    for options in ({"flip": True}, {"image_size": (7, 9), "crop": 1}):
        sources, targets = map(windows, epoch(load(a, b, **options)))
        np.testing.assert_array_equal(targets - sources, [[100, 0, 0, 0]] * N)
        assert (len(np.unique(sources[:, 3])) == 2) == ("flip" in options)
        assert (len(np.unique(sources[:, 1])) == 2) == ("crop" in options)


@pytest.mark.parametrize("kind", ["folders", "arrays"])
def test_order_and_windows_follow_from_seed_and_step(a, b, kind):
    options = {"image_size": (5, 7), "crop": 3, "flip": True}
    data = (a, b) if kind == "folders" else arrays(SOURCES, TARGETS)
    dataset, again, other = (load(*data, seed=seed, **options) for seed in (5, 5, 6))
    first = epoch(dataset, 10)
    epoch(dataset, 20)
    for same in (dataset, again):
        for found, expected in zip(epoch(same, 10), first, strict=True):
            np.testing.assert_array_equal(found, expected)
    assert (epoch(other, 10)[0] != first[0]).any() and (epoch(dataset, 20)[0] != first[0]).any()
    # A run interrupted after a batch of the second pass resumes there.
    twice = epoch(dataset.repeat(2), 10)
    np.testing.assert_array_equal(twice[1][:N], first[1])
    assert (twice[1][N:] != first[1]).any()
    np.testing.assert_array_equal(epoch(again.repeat(2).skip(5), 10)[1], twice[1][N + 7 :])


# === Memory and caches ===


@pytest.mark.parametrize("options", [{}, {"scale": 2, "image_size": (8, 10), "target_channels": 1, "flip": True}])
def test_a_cache_gives_what_memory_gives(a, b, tmp_path, monkeypatch, options):
    monkeypatch.setattr(cache, "_CHUNK", 5)
    read, decoded = datasets.decode.read, []
    monkeypatch.setattr(datasets.decode, "read", lambda path, *args: decoded.append(path) or read(path, *args))
    kept = load(a, b, cache=False, **options)
    expected = epoch(kept)
    assert len(decoded) == 2 * N
    for found, part in zip(epoch(load(a, b, cache=False, seed=5, **options)), expected, strict=True):
        np.testing.assert_array_equal(found, part)
    # Loaded twice, they are in memory once.
    assert len(decoded) == 2 * N
    for count in (4, 4):
        for found, part in zip(epoch(load(a, b, cache=tmp_path / "place", **options)), expected, strict=True):
            np.testing.assert_array_equal(found, part)
        assert len(decoded) == count * N
    # Reversed pairs have another cache, and changes in either folder are noticed.
    sources, targets = epoch(load(a, b, cache=tmp_path / "place", direction="b_to_a"))
    np.testing.assert_array_equal(windows(sources)[:, 0], windows(targets)[:, 0] + 100)
    Image.fromarray(picture(99)).save(b / "x" / "00.bmp")
    os.utime(b / "x" / "00.bmp", (1, 1))
    assert 99 in epoch(load(a, b, cache=tmp_path / "place"))[1][..., 2]


def test_memory_decides(a, b, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    expected = epoch(load(a, b, cache=False, scale=2, image_size=(8, 10)))
    need = N * (4 * 5 * 3 + 8 * 10 * 3)
    for free, on_disk in ((2 * need, False), (2 * need - 1, True)):
        monkeypatch.setattr(memory, "free", lambda free=free: free)
        dataset = load(a, b, scale=2, image_size=(8, 10))
        assert (f"takes {need:,} bytes" in capsys.readouterr().out) == on_disk
        assert len(list((tmp_path / "home").rglob("images"))) == on_disk
        for found, part in zip(epoch(dataset), expected, strict=True):
            np.testing.assert_array_equal(found, part)
    # The original sizes, from headers.
    assert datasets.pairs.Pairs(a, b).nbytes == N * 8 * 10 * 6


# === Sizes ===


def test_targets_of_their_own_sizes(a, b, tmp_path):
    large = write(tmp_path / "large", LARGE)
    sources, targets = epoch(load(a, large, scale=2))
    assert sources.shape == (N, 8, 10, 3) and targets.shape == (N, 16, 20, 3)
    np.testing.assert_array_equal(windows(targets)[:, 0], windows(sources)[:, 0] + 100)
    with pytest.raises(ValueError, match=r"24 of 24 pairs.*source 10x8 and target 20x16 pixels.*must be of one size"):
        load(a, large)
    with pytest.raises(ValueError, match=r"source 10x8 and target 10x8 pixels.*the target must be 2 times as large"):
        load(a, b, scale=2)
    with pytest.raises(ValueError, match=r"source 20x16 and target 10x8"):
        load(a, large, scale=2, direction="b_to_a")
    # With a given size, both have it.
    assert [part.shape for part in epoch(load(a, large, image_size=(4, 5)))] == [(N, 4, 5, 3)] * 2
    # A difference of one pixel, as from halving an odd size, counts as the same shape.
    for root, pixels in ((a, (9, 11)), (large, (17, 21))):
        Image.new("RGB", pixels).save(root / "x" / "00.png")
    assert len(epoch(load(a, large, image_size=4))[0]) == N
    for root in (a, b):
        Image.new("RGB", (6, 6)).save(root / "x" / "02.png")
    os.remove(b / "x" / "02.bmp")
    os.remove(a / "x" / "00.png")
    with pytest.raises(ValueError, match=r"image_size must be given.*\(6, 6\) \(x/02\) and \(8, 10\) \(x/04\)"):
        load(a, b, on_error="skip")


def test_headers_that_are_wrong_about_a_size(a, b, monkeypatch):
    Image.new("RGB", (8, 10)).save(b / "x" / "00.bmp")
    monkeypatch.setattr(datasets.decode, "header", lambda path: ((8, 10), "RGB"))
    with pytest.raises(ValueError, match=r"1 of 24 pairs.*x/00 \(source 10x8 and target 8x10 pixels"):
        load(a, b)


def test_sizes_that_scale_does_not_divide(a, b):
    for options in ({"image_size": 9}, {"image_size": (8, 9)}, {"image_size": 8, "crop": 3}):
        with pytest.raises(
            ValueError, match=r"image_size and crop must be divisible by scale, here 2.*Received: image"
        ):
            load(a, b, scale=2, **options)
    for scale in (0, 1.5, True, "2"):
        with pytest.raises(ValueError, match="scale must be a positive integer"):
            load(a, b, scale=scale)


# === Parts and groups ===


def numbers(dataset):
    return set(windows(epoch(dataset)[0])[:, 0].tolist())


def test_parts_are_of_names_without_suffixes(a, b):
    for split in ("train[75%:]", "train[-5:]"):
        expected = {int(NAMES[i][2:]) for i in select(NAMES, split)}
        assert 0 < len(expected) < N and numbers(load(a, b, split=split)) == expected
        x, y = arrays(SOURCES, TARGETS)
        assert numbers(load(x, y, split=split)) == set(select([str(i) for i in range(N)], split))
    with pytest.raises(ValueError, match=r"split of a set must be 'train' or a part.*For pairs to test with"):
        load(a, b, split="test")
    with pytest.raises(ValueError, match=r"more than the 24 pairs of the set"):
        load(a, b, split="train[-25:]")


@pytest.mark.parametrize("kind", ["function", "pattern", "found", "array", "list"])
def test_groups_are_never_divided(a, b, kind):
    """Six groups of four pairs, by number modulo 12 // 2."""
    in_group = [i % 12 // 2 for i in range(N)]
    data, group = (a, b), None
    if kind == "function":
        group = lambda name: str(int(name[2:]) % 12 // 2)  # noqa: E731
    elif kind in ("array", "list"):
        data, group = arrays(SOURCES, TARGETS), np.array(in_group) if kind == "array" else [str(g) for g in in_group]
    else:
        for root, suffix in ((a, ".png"), (b, ".bmp")):
            for i, name in enumerate(NAMES):
                os.rename(f"{root / name}{suffix}", f"{root / name}_g{in_group[i]}_end{suffix}")
        group = r"_g(\d)_" if kind == "pattern" else "(?<=_g)[0-9]"
    everything = set(range(N))
    for kept, held, count in (("train[:-2]", "train[-2:]", 2), ("train[:60%]", "train[60%:]", None)):
        one, other = (numbers(load(*data, split=split, group=group)) for split in (kept, held))
        assert one | other == everything and not one & other and one and other
        groups = {in_group[i] for i in other}
        assert not groups & {in_group[i] for i in one}
        # According to the hashes of the groups.
        assert groups == set(select([str(i) for i in range(6)], held)) and count in (len(groups), None)
    with pytest.raises(ValueError, match="more than the 6 groups of the set"):
        load(*data, split="train[-7:]", group=group)


def test_bad_groups(a, b):
    for group, error, message in (
        ("(", ValueError, r"group must be a regular expression\. Received: '\('"),
        ("x/(.*)", ValueError, r"Received: 'x/\(\.\*\)', which finds none in 12 of 24 names \(y/01, .*\.\.\.\)"),
        ("(q)?/", ValueError, r"finds none in 24 of 24"),
        (len, TypeError, r"group must return strings\. Received: 4"),
        (7, TypeError, r"group must be a function"),
        ([0] * N, TypeError, r"group must be a function"),
    ):
        with pytest.raises(error, match=message):
            load(a, b, group=group)
    for group, received in (
        ([0] * (N - 1), r"int64 of shape \(23,\)"),
        (np.zeros(N), r"float64 of shape \(24,\)"),
        (np.zeros((N, 1), int), r"int64 of shape \(24, 1\)"),
        ("[xy]", r"'\[xy\]'"),
        (len, "<built-in function len>"),
    ):
        with pytest.raises(ValueError, match=f"group must be 24 strings or integers.*Received: {received}"):
            load(*arrays(SOURCES, TARGETS), group=group)


# === Arrays ===


def test_arrays_of_other_kinds():
    x, y = arrays(SOURCES, TARGETS)
    first = epoch(load(x, y))
    for a, b in (
        (x / 255, (y / 127.5 - 1).astype("float16")),
        (np.moveaxis(x, 3, 1), y.astype("float32")),
    ):
        for found, expected in zip(epoch(load(a, b)), first, strict=True):
            np.testing.assert_allclose(found, expected, atol=1)
    for found, expected in zip(epoch(load(x, y, direction="b_to_a")), first[::-1], strict=True):
        np.testing.assert_array_equal(found, expected)
    sources, targets = epoch(load(x[..., 0], y))
    assert sources.shape == (N, 8, 10, 1)
    np.testing.assert_array_equal(sources[..., 0], targets[..., 0])
    # At another size, in eight bits.
    sources, targets = epoch(load(x / 255, y, image_size=(4, 6), scale=2))
    expected = {datasets.pictures.fit(image, (2, 3)).tobytes() for image in x}
    assert {image.astype("uint8").tobytes() for image in sources} == expected and targets.shape == (N, 4, 6, 3)


def test_mapped_arrays_stay_on_disk(tmp_path):
    x, y = arrays(SOURCES, TARGETS)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r+")
    for options in ({}, {"split": "train[50%:]", "flip": True}):
        dataset = load(mapped, y, **options)
        mapped[:, 0, 0, 2] = 200
        # Later writes to the file are seen.
        assert (epoch(dataset)[0][:, 0, [0, -1], 2] == 200).any(axis=1).all()
        mapped[:] = x


def test_bad_arrays():
    x, y = arrays(SOURCES, TARGETS)
    for a, b, options, error, message in (
        (x, y[1:], {}, ValueError, r"a and b must be of equal length\. Received: 24 and 23 images"),
        (x[:0], y[:0], {}, ValueError, "a must hold at least one image"),
        (x, y * 3.0, {}, ValueError, r"b must lie in \[0, 255\].*values from 0\.0 to 369\.0\. Scale them"),
        (x, y[..., 0, 0], {}, ValueError, r"b must hold images \(batch, height.*Received: shape \(24, 8\)"),
        (x, y.astype(str), {}, TypeError, "b must hold images, arrays of numbers"),
        (x, y[:, :4], {}, ValueError, r"a and b must have sizes that fit each other: source 10x8 and target 10x4"),
        (x, y[:, :4], {"image_size": 4}, ValueError, r"10x8 and 10x4 pixels have different aspect ratios"),
        (x, np.array(LARGE), {"scale": 4}, ValueError, "the target must be 4 times as large"),
        (x, y, {"channels": 3}, ValueError, "channels must be None for arrays"),
        (x, y, {"target_channels": 3}, ValueError, "target_channels must be None for arrays"),
        (x, y, {"cache": True}, ValueError, r"cache must be None for arrays.*Received: True"),
    ):
        with pytest.raises(error, match=message):
            load(a, b, **options)


def test_bad_options(a, b):
    for options, message in (
        ({"direction": "a2b"}, r"direction must be 'a_to_b' or 'b_to_a'\. Received: 'a2b'"),
        ({"channels": 2}, "^channels must be 1"),
        ({"target_channels": 2}, "^target_channels must be 1"),
        ({"on_error": "ignore"}, "on_error must be"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"crop": 2}, "crop needs image_size"),
        ({"cache": 3}, "cache must be"),
    ):
        with pytest.raises(ValueError, match=message):
            load(a, b, **options)


def test_the_same_images_twice_are_warned_of(a, tmp_path, caplog):
    copy = write(tmp_path / "copy", SOURCES, ".bmp")
    (x,) = np.array([SOURCES])
    with caplog.at_level(logging.WARNING, "keras_gan"):
        load(a, copy)
        load(x, x)
        assert ["the same images" in record.message for record in caplog.records] == [True, True]
        caplog.clear()
        Image.fromarray(TARGETS[5]).save(copy / f"{NAMES[5]}.bmp")
        load(a, copy)
    assert not caplog.records


# === Sources made from targets ===


def degraded(*args, steps=3, **options):
    """Returns an epoch's sources and targets, in [-1, 1], in the order of their numbers."""
    dataset = load(*args, **{"degrade": 2, **options})
    (order,) = find(dataset)
    order.begin(steps)
    sources, targets = (np.concatenate(part) for part in zip(*dataset.as_numpy_iterator(), strict=True))
    at = np.argsort(targets[:, 0, 0, -1], kind="stable")
    return sources[at], targets[at]


@pytest.mark.parametrize(("scale", "moved"), [(2, 0.085), (4, 0.113)])
def test_sources_are_blurred_shrunk_and_noisy(scale, moved):
    # An edge, and flat gray, which has only noise.
    images = np.zeros((50, 16, 32, 3), "uint8")
    images[:, :, 8:16], images[:, :, 16:] = 200, 128
    images += np.arange(50, dtype="uint8")[:, None, None, None]
    sources, targets = degraded(images, degrade=scale)
    np.testing.assert_allclose(targets, images / 127.5 - 1, atol=1e-6)
    assert sources.shape == (50, 16 // scale, 32 // scale, 3) and sources.dtype == np.float32
    area = targets.reshape(50, 16 // scale, scale, 32 // scale, scale, 3).mean((2, 4))
    noise = sources - area
    flat = noise[:, :, 20 // scale :]
    assert 1.9 < 127.5 * flat.std() < 2.1 and abs(127.5 * flat.mean()) < 0.1
    # Different for each image and each channel.
    assert np.abs(np.corrcoef(flat.reshape(50, -1)) - np.eye(50)).max() < 0.6
    assert np.abs(np.corrcoef(flat.reshape(-1, 3).T) - np.eye(3)).max() < 0.1
    # How much of a step a Gaussian of 0.3 pixels moves into the next pixel: by hand, from its values at whole pixels of
    # the target.
    before, after = noise[:, :, 8 // scale - 1 : 8 // scale + 1].mean((0, 1, 3)) / (200 / 127.5)
    assert before == pytest.approx(moved, abs=0.003) and after == pytest.approx(-moved, abs=0.003)
    # One pixel further there is none of it, and images neither wrap around nor darken at the border.
    assert abs(noise[:, :, 0].mean()) < 0.003 and abs(noise[:, :, -1].mean()) < 0.003


def test_noise_is_an_image_s_own_or_drawn_anew():
    x = np.array(TARGETS)
    for options in ({}, {"image_size": (6, 8), "crop": 2}, {"flip": True}):
        first, second = (degraded(x, steps=steps, **options) for steps in (3, 4))
        for found, part in zip(degraded(x, steps=3, **options), first, strict=True):
            np.testing.assert_array_equal(found, part)
        if not options:
            # Independent of the seed, the part and the batch.
            np.testing.assert_array_equal(second[0], first[0])
            part = degraded(x, seed=99, split="train[50%:]", batch_size=3)[0]
            kept = select([str(i) for i in range(N)], "train[50%:]")
            np.testing.assert_allclose(part, first[0][kept], atol=1e-6)
        # Sources of the same window, on a ramp that blur does not change.
        n, height, width, _ = first[1].shape
        area = first[1].reshape(n, height // 2, 2, width // 2, 2, 3).mean((2, 4))
        assert 127.5 * np.abs(first[0] - area)[:, 1:-1, 1:-1].max() < 10
        windows(np.round(first[1] * 127.5 + 127.5).astype(int))
    # Images that were mirrored both times or neither time.
    same = (first[1] == second[1]).all((1, 2, 3))
    assert 3 < same.sum() < N - 3 and np.abs(first[0][same] - second[0][same]).max((1, 2, 3)).min() > 1 / 127.5


@pytest.mark.parametrize("flip", [False, True])
def test_workers_make_their_own_part_of_each_batch(flip):
    options = {"degrade": 2, "flip": flip, "batch_size": 5}
    dataset = load(np.array(TARGETS), **options)
    (order,), batches = find(dataset), []
    for data in (dataset, *(parts_of(dataset)(i, 2) for i in range(2))):
        order.begin(3)
        batches.append(list(data.as_numpy_iterator()))
    for batch, *parts in zip(*batches, strict=True):
        for whole, *halves in zip(batch, *parts, strict=True):
            assert all(0 < len(half) < len(whole) for half in halves)
            np.testing.assert_allclose(np.concatenate(halves), whole, atol=1e-6)


def test_folders_give_what_arrays_give(b, tmp_path, monkeypatch):
    expected = degraded(np.array(TARGETS))
    read, decoded = datasets.decode.read, []
    monkeypatch.setattr(datasets.decode, "read", lambda path, *args: decoded.append(path) or read(path, *args))
    for options in ({"cache": False}, *[{"cache": tmp_path / "place"}] * 2):
        for found, part in zip(degraded(b, **options), expected, strict=True):
            np.testing.assert_allclose(found, part, atol=1e-6)
    # The file holds only targets, and is that of `load`.
    datasets.load(f"folder:{b}", 4, cache=tmp_path / "place")
    assert len(decoded) == 2 * N
    (file,) = (tmp_path / "place").rglob("images")
    assert N * 240 <= file.stat().st_size < N * 241 + 4096
    sources, targets = degraded(b, image_size=4, channels=1, split="train[-5:]", group=r"[xy]/\d(\d)")
    assert sources.shape[1:] == (2, 2, 1) and targets.shape[1:] == (4, 4, 1)
    held = set(select([str(i) for i in range(10)], "train[-5:]"))
    assert len(sources) == sum(i % 10 in held for i in range(N))


def test_an_image_that_can_not_be_read(b, caplog):
    (b / "x" / "00.bmp").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"1 of 24 images in .*b can't be read: x/00\.bmp"):
        load(b, degrade=2)
    with caplog.at_level(logging.WARNING, "keras_gan"):
        assert len(degraded(b, on_error="skip")[0]) == N - 1
    assert "1 of 24 images" in caplog.text


def test_what_does_not_go_with_degrade(a, b):
    x, y = arrays(SOURCES, TARGETS)
    for data, options, message in (
        ((a, b), {}, r"^b must be None with degrade, .*Received: a \w*Path, and degrade=2\.$"),
        ((x, y), {}, r"^b must be None with degrade, .*Received: a ndarray, and degrade=2\.$"),
        ((x,), {"scale": 2}, r"^scale must be 1 with degrade.*Received: 2, and degrade=2"),
        ((x,), {"direction": "b_to_a"}, r"^direction must be 'a_to_b' with degrade"),
        ((a,), {"target_channels": 3}, r"^target_channels must be None with degrade"),
        ((a,), {"channels": 2}, "^channels must be 1"),
        ((x,), {"channels": 3}, "^channels must be None for arrays"),
        ((x,), {"degrade": 1}, r"^degrade must be an integer >= 2\. Received: 1"),
        ((x,), {"degrade": 2.0}, "^degrade must be"),
        ((x,), {"degrade": 4}, r"^image_size must be divisible by degrade, here 4\. Received: targets of 10x8"),
        ((a,), {"degrade": 4}, r"divisible by degrade, here 4\. Received: targets of 10x8"),
        ((a,), {"image_size": 5, "crop": 1}, r"divisible by degrade, here 2\. Received: targets of 5x5"),
        ((x,), {"split": "train[-25:]"}, "more than the 24 pairs"),
    ):
        with pytest.raises(ValueError, match=message):
            load(*data, **{"degrade": 2, **options})
    # A window may be cropped by any number of pixels.
    assert degraded(x, image_size=4, crop=1)[0].shape == (N, 2, 2, 3)


# === Survey ===


def test_survey(a, b):
    Image.new("L", (40, 32)).save(b / "x" / "00.bmp")
    Image.new("L", (40, 40)).save(b / "x" / "02.bmp")
    (a / "x" / "04.png").write_bytes(b"no picture")
    os.remove(b / "x" / "06.bmp")
    Image.new("RGB", (2, 2)).save(b / "x" / "more.png")
    (b / "x" / "scan.tif").write_bytes(b"II*\0")
    names = sorted(name for name in NAMES if name != "x/06")
    found = datasets.survey_pairs(a, b, group="[xy]")
    assert (found.count, found.names, found.groups) == (23, names, {"x": 11, "y": 12})
    assert found.sizes == (((8, 10),) * 3, ((8, 10), (8, 10), (32, 40)))
    assert found.modes == ({"RGB": 21}, {"RGB": 20, "L": 1})
    assert list(found.unreadable) == ["x/02", "x/04"] and "of a: not an image" in found.unreadable["x/04"]
    assert found.unreadable["x/02"] == "10x8 and 40x40 pixels have different aspect ratios"
    assert found.unmatched == (["x/06"], ["x/more"]) and found.others == ([], ["x/scan.tif"])
    json.dumps(found.unreadable)
    held = datasets.survey_pairs(a, b, "train[-5:]")
    assert held.names == [names[i] for i in select(names, "train[-5:]")] and held.groups == {}
    # What `load_pairs` leaves.
    expected = found.count - len(found.unreadable)
    assert len(epoch(load(a, b, image_size=4, on_error="skip"))[0]) == expected == 21


def test_survey_of_halves(halves):
    Image.new("L", (21, 8)).save(halves / "x" / "00.png")
    found = datasets.survey_pairs(halves)
    assert found.count == N and found.sizes == (((8, 10),) * 3,) * 2 and found.modes == ({"RGB": 23},) * 2
    assert list(found.unreadable) == ["x/00.png"] and found.unmatched == ([], []) and found.others == ([], [])
    for name in NAMES:
        (halves / f"{name}.png").write_bytes(b"")
    found = datasets.survey_pairs(halves)
    assert found.sizes is None and found.modes == ({}, {}) and len(found.unreadable) == N
