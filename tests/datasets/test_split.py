"""Splits of a folder, and surveys of a set without decoding."""

import dataclasses
import hashlib
import os
import sys
import time

import numpy as np
import pytest
from PIL import Image

from keras_gan import datasets
from keras_gan.datasets.split import select


def place(name):
    """By hand: the first six bytes of SHA-256, as a fraction of 1."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:12], 16) / 16**12


NAMES = [f"{'ab'[i % 2]}/{i:03}.png" for i in range(200)]
BY_HASH = sorted(range(200), key=lambda i: place(NAMES[i]))


@pytest.mark.parametrize(
    ("split", "inside"),
    [
        ("train", lambda x: True),
        ("train[:]", lambda x: True),
        ("train[:90%]", lambda x: x < 0.9),
        ("train[90%:]", lambda x: x >= 0.9),
        ("train[-10%:]", lambda x: x >= 0.9),
        ("train[12.5%:50%]", lambda x: 0.125 <= x < 0.5),
    ],
)
def test_percents_are_hashes(split, inside):
    chosen = select(NAMES, split)
    assert chosen == [i for i, name in enumerate(NAMES) if inside(place(name))]
    # Files added later do not move others.
    more = [*NAMES, *(f"c/{i}.png" for i in range(100))]
    assert [i for i in select(more, split) if i < 200] == chosen
    # Neither the folder's place nor the other files matter.
    assert [NAMES[100:][i] for i in select(NAMES[100:], split)] == [NAMES[i] for i in chosen if i >= 100]


def test_numbers_count_in_the_order_of_hashes():
    assert select(NAMES, "train[-16:]") == sorted(BY_HASH[-16:])
    assert select(NAMES, "train[:-16]") == sorted(BY_HASH[:-16])
    assert select(NAMES, "train[3:5]") == sorted(BY_HASH[3:5])
    assert select(NAMES, "train[50%:-16]") == sorted(i for i in BY_HASH[:-16] if place(NAMES[i]) >= 0.5)


def test_parts_are_of_the_size_that_they_say():
    names = [f"{i}.jpg" for i in range(20_000)]
    assert abs(len(select(names, "train[90%:]")) - 2000) < 4 * (20_000 * 0.9 * 0.1) ** 0.5


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ("test", r"a folder is one split\. Received: 'test'\. .*load 'train\[:90%\]' and 'train\[90%:\]'"),
        ("train[90%]", "must be 'train' or a part"),
        ("train[::2]", "must be 'train' or a part"),
        ("train[a:]", "must be 'train' or a part"),
        (None, "must be 'train' or a part"),
        ("train[50%:50%]", r"split must hold images\. Received: 'train\[50%:50%\]'.*none of the folder's 200"),
        ("train[:0]", "split must hold images"),
        ("train[-201:]", r"more than the 200 images of the folder\. Received: 'train\[-201:\]'"),
        ("train[:101%]", "more than 100%"),
    ],
)
def test_bad_parts(split, message):
    with pytest.raises(ValueError, match=message):
        select(NAMES, split)


@pytest.fixture
def folder(tmp_path):
    """Three classes of 30 pictures, each of its own gray, the second of files of another kind."""
    values = iter(range(90))
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        for i in range(30):
            if name == "b":
                (tmp_path / name / f"{i}.tif").write_bytes(b"II*\0")
            else:
                Image.new("L", (6, 4), 2 * next(values)).save(tmp_path / name / f"{i:02}.png")
    return tmp_path


def grays(folder, split):
    """Returns grays and labels of a split, in the order of the files, whatever the order of `load`."""
    data = datasets.load(f"folder:{folder}", 7, split=split, labels=True, on_error="skip")
    batches = [(images.numpy(), labels.numpy()) for images, labels in data]
    images, labels = (np.concatenate(part) for part in zip(*batches, strict=True))
    return dict(zip(np.round(images[:, 0, 0, 0] * 127.5 + 127.5).astype(int).tolist(), labels.tolist(), strict=True))


def test_what_is_held_out_is_not_trained_on_and_keeps_its_labels(folder):
    kept, held, everything = (grays(folder, split) for split in ("train[:-16]", "train[-16:]", "train"))
    assert len(held) == 16 and len(kept) == 44 and {**kept, **held} == everything
    # 2 is the third class of the whole folder; the second has no readable image.
    assert set(held.values()) == {0, 2} and sorted(everything.values()) == [0] * 30 + [2] * 30
    names = datasets.survey(f"folder:{folder}", "train[-16:]").names
    files = sorted(str(p.relative_to(folder)) for p in folder.rglob("*.png"))
    assert names == sorted(sorted(files, key=place)[-16:])
    assert {2 * files.index(name) for name in names} == held.keys()


def test_names_may_be_of_bytes_that_are_no_text(tmp_path):
    name = os.fsdecode(b"\xff\xfe.png")
    try:
        Image.new("L", (4, 4)).save(tmp_path / name)
    except OSError:
        pytest.skip("the file system takes text alone")
    assert datasets.survey(f"folder:{tmp_path}").names == [name]


# === Survey ===


def test_survey_of_a_folder(tmp_path):
    for i, (name, mode, size) in enumerate(
        [
            ("cat/a.png", "RGBA", (5, 4)),
            ("cat/b.png", "RGB", (50, 40)),
            ("cat/c.jpg", "L", (30, 20)),
            ("dog/d.gif", "P", (8, 9)),
        ]
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new(mode, size, i).save(tmp_path / name)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (100, 10)).save(tmp_path / "dog" / "turned.jpg", exif=exif)
    (tmp_path / "dog" / "empty.jpg").write_bytes(b"")
    os.mkfifo(tmp_path / "dog" / "pipe.png")
    (tmp_path / "dog" / "scan.tif").write_bytes(b"II*\0")
    (tmp_path / "dog" / "notes.txt").write_text("no picture")
    found = datasets.survey(f"folder:{tmp_path}", labels=True)
    assert dataclasses.asdict(found) == {
        "count": 7,
        "names": [
            *("cat/a.png", "cat/b.png", "cat/c.jpg"),
            *("dog/d.gif", "dog/empty.jpg", "dog/pipe.png", "dog/turned.jpg"),
        ],
        "classes": {"cat": 3, "dog": 4},
        # As a viewer shows them: the last is 100 high.
        "sizes": ((4, 5), (20, 30), (40, 50)),
        "modes": {"RGB": 2, "RGBA": 1, "L": 1, "P": 1},
        "unreadable": {
            "dog/empty.jpg": "not an image, or of an unsupported format",
            "dog/pipe.png": "not a regular file",
        },
        "others": ["dog/scan.tif"],
    }
    assert datasets.survey(f"folder:{tmp_path / 'dog'}").sizes[2] == (100, 10)
    Image.new("RGB", (4, 4)).save(tmp_path / "loose.png")
    assert datasets.survey(f"folder:{tmp_path}").count == 8
    with pytest.raises(ValueError, match=r"with labels=True, every image must be in a subfolder.*loose\.png"):
        datasets.survey(f"folder:{tmp_path}", labels=True)


def test_survey_decodes_nothing(tmp_path):
    """The images can't be decoded in time: 81 megapixels each, with half of the bytes missing."""
    Image.new("L", (9000, 9000)).save(tmp_path / "0.png")
    content = (tmp_path / "0.png").read_bytes()
    for i in range(300):
        (tmp_path / f"{i}.png").write_bytes(content[: len(content) // 2])
    start = time.process_time()
    found = datasets.survey(f"folder:{tmp_path}")
    assert found.sizes == ((9000, 9000),) * 3 and found.count == 300 and not found.unreadable
    assert time.process_time() - start < 5


def test_bad_surveys():
    for name, split, message in (
        (None, "train", "name must be a string"),
        ("folder:/no/such", "train", "that exists"),
        ("digits", "validation", "'train' or 'test'"),
        ("mnst", "train", "mean 'mnist'"),
    ):
        with pytest.raises(ValueError, match=message):
            datasets.survey(name, split)


def test_survey_downloads_nothing(tmp_path, monkeypatch):
    import tensorflow_datasets as tfds

    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", lambda self: sys.exit("downloads"))
    found = datasets.survey("mnist")
    assert found.count is None and found.classes == {str(i): None for i in range(10)} and found.sizes[0] == (28, 28)
