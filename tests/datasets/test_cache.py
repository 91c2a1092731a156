"""Caches: sets that are decoded once, into files."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_gan import datasets
from keras_gan.datasets import cache, memory
from keras_gan.datasets.order import find

SCRIPT = Path(__file__).parents[1] / "scripts" / "datasets_cache.py"


def picture(seed, height=40, width=40):
    """A smooth picture, as photographs are."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), "uint8")
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture
def folder(tmp_path):
    """Two classes of 30 pictures, of which one can't be read."""
    root = tmp_path / "pictures"
    for name in ("a", "b"):
        (root / name).mkdir(parents=True)
        for i in range(30):
            picture(i + 50 * (name == "b")).save(root / name / f"{i:02}.png")
    (root / "a" / "07.png").write_bytes(b"no picture")
    return root


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "_CHUNK", 8)
    return tmp_path / "place"


@pytest.fixture
def decoded(monkeypatch):
    """A list that grows with each picture that is decoded."""
    names, read = [], datasets.decode.read
    monkeypatch.setattr(datasets.decode, "read", lambda path, *args: names.append(path.name) or read(path, *args))
    return names


def load(folder, **options):
    options = {"batch_size": 7, "image_size": 8, "labels": True, "seed": 3, "on_error": "skip", **options}
    return datasets.load(f"folder:{folder}", **options)


def everything(dataset, steps=5):
    """Returns the batches of two epochs of training."""
    (order,) = find(dataset)
    found = []
    for epoch in range(2):
        order.begin(steps + epoch)
        for batch in dataset:
            found += [np.asarray(part) for part in (batch if isinstance(batch, tuple) else (batch,))]
    return found


def same(a, b):
    return len(a) == len(b) and all(x.dtype == y.dtype and np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("options", [{}, {"channels": 1, "labels": False, "stack": 2}, {"image_size": None}])
def test_a_cache_gives_what_memory_gives(folder, place, decoded, options):
    expected = everything(load(folder, cache=False, **options))
    assert len(decoded) == 60
    for _ in range(2):
        assert same(everything(load(folder, cache=place, **options)), expected)
        # None the second time.
        assert len(decoded) == 120
    assert not same(everything(load(folder, cache=place, **options), steps=9), expected)


def test_images_of_a_cache_stay_on_disk(folder, place):
    images, labels = cache.cached(datasets.folder.Folder(folder, "train", (8, 8)), place)
    assert isinstance(images, np.memmap) and not images.flags.writeable and images.shape == (59, 8, 8, 3)
    assert labels.tolist() == [0] * 29 + [1] * 30
    assert sum(p.stat().st_size for p in place.rglob("images")) == images.nbytes == 59 * 8 * 8 * 3


@pytest.mark.parametrize("change", ["content", "time", "name", "more", "size", "channels", "split"])
def test_another_set_is_another_cache(folder, place, decoded, change):
    load(folder, cache=place)
    count, path, options = len(decoded), folder / "a" / "00.png", {}
    if change == "content":
        picture(99).save(path, compress_level=1)
    elif change == "time":
        os.utime(path, (1, 1))
    elif change == "name":
        path.rename(path.with_name("x.png"))
    elif change == "more":
        picture(99).save(folder / "b" / "99.png")
    else:
        options = {"size": {"image_size": 9}, "channels": {"channels": 1}, "split": {"split": "train[:50]"}}[change]
    expected = everything(load(folder, cache=False, **options))
    decoded.clear()
    assert same(everything(load(folder, cache=place, **options)), expected)
    assert len(decoded) == count + {"more": 1, "split": -10}.get(change, 0)
    assert len(list(place.iterdir())) == 2


def test_what_can_not_be_read_is_said_each_time(folder, place, decoded):
    for _ in range(2):
        with pytest.raises(ValueError, match=r"1 of 60 images in .* can't be read: a/07\.png \(not an image"):
            load(folder, cache=place, on_error="raise")
    load(folder, cache=place)
    assert len(decoded) == 60


def spoil(folder, how):
    images, log = folder / "images", folder / "log"
    content = bytearray(images.read_bytes())
    if how == "byte":
        content[30 * 192 + 5] ^= 1
        images.write_bytes(content)
    elif how == "cut":
        images.write_bytes(content[: 30 * 192])
    elif how == "zeros":
        images.write_bytes(bytes(len(content)))
    elif how == "log":
        log.write_bytes(log.read_bytes()[:-9])
    elif how == "foreign log":
        log.write_bytes(log.read_bytes().replace(b'"count": 60', b'"count": 61'))
    elif how == "garbage":
        log.write_bytes(os.urandom(500))
    elif how == "no images":
        images.unlink()
    elif how == "no log":
        log.unlink()


@pytest.mark.parametrize(
    ("how", "again"),
    [
        ("byte", 60 - 24),
        ("cut", 60 - 24),
        ("zeros", 60),
        ("log", 4),
        ("foreign log", 60),
        ("garbage", 60),
        ("no images", 60),
        ("no log", 60),
    ],
)
def test_broken_caches_are_mended(folder, place, decoded, how, again):
    expected = everything(load(folder, cache=place))
    (kept,) = place.iterdir()
    files = {p.name: p.read_bytes() for p in kept.iterdir()}
    spoil(kept, how)
    decoded.clear()
    assert same(everything(load(folder, cache=place)), expected)
    # Chunks of 8 before the first broken one are not decoded again.
    assert len(decoded) == again
    assert {p.name: p.read_bytes() for p in kept.iterdir()} == files and len(list(place.iterdir())) == 1


def test_a_program_that_maps_a_broken_cache_keeps_its_bytes(folder, place):
    images, _ = cache.cached(datasets.folder.Folder(folder, "train", (8, 8)), place)
    before = images.copy()
    (kept,) = place.iterdir()
    (kept / "log").unlink()
    Image.new("RGB", (40, 40)).save(folder / "a" / "00.png")
    os.utime(folder / "a" / "00.png", (1, 1))
    load(folder, cache=place)
    assert np.array_equal(images, before)


def test_an_interrupted_cache_goes_on(folder, place, decoded, monkeypatch):
    read = datasets.decode.read

    def interrupted(path, *args):
        if path.name == "20.png":
            raise KeyboardInterrupt
        return read(path, *args)

    with monkeypatch.context() as patch:
        patch.setattr(datasets.decode, "read", interrupted)
        with pytest.raises(KeyboardInterrupt):
            load(folder, cache=place)
    decoded.clear()
    assert same(everything(load(folder, cache=place)), everything(load(folder, cache=False)))
    # 20 were written, in two whole chunks.
    assert len(decoded) == 60 - 16 + 60


def test_a_full_disk_is_refused_before_work(folder, place, decoded, monkeypatch):
    usage = shutil.disk_usage
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: usage(path)._replace(free=60 * 192 - 1))
        with pytest.raises(OSError, match=r"needs 11,520 bytes, and its disk has 11,519 bytes free\. Make room"):
            load(folder, cache=place)
        assert not decoded and not list(place.iterdir())
        patch.setattr(shutil, "disk_usage", lambda path: usage(path)._replace(free=60 * 192))
        load(folder, cache=place)
    # A started cache has reserved its space already, and a refused one is reused.
    (kept,) = place.iterdir()
    spoil(kept, "byte")
    decoded.clear()
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: usage(path)._replace(free=0))
        patch.setattr(cache, "_size_on_disk", lambda path: 192)
        with pytest.raises(OSError, match=r"needs 11,328 bytes, and its disk has 0"):
            load(folder, cache=place)
        assert not decoded
    load(folder, cache=place)
    assert len(decoded) == 60 - 24


def test_bad_places(folder, tmp_path):
    for value in (3, "", b"x", np.True_):
        with pytest.raises(ValueError, match=r"cache must be True, False, None or the path.*Received"):
            load(folder, cache=value)
    (tmp_path / "file").write_bytes(b"precious")
    with pytest.raises(OSError, match=r"cache must be in a folder that can be written to. Received: .*file"):
        load(folder, cache=tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"precious"


def test_different_sizes_leave_nothing(folder, place):
    picture(0, 41, 40).save(folder / "b" / "20.png")
    with pytest.raises(ValueError, match=r"image_size must be given.*\(41, 40\) \(b/20.png\)"):
        load(folder, cache=place, image_size=None)
    assert not list(place.iterdir())


def test_memory_decides(folder, tmp_path, decoded, monkeypatch, capsys):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    need = 60 * 8 * 8 * 3
    for free, on_disk in ((2 * need, False), (2 * need - 1, True)):
        monkeypatch.setattr(memory, "free", lambda free=free: free)
        data = load(folder)
        place = tmp_path / "home" / "keras_gan" / "data"
        assert (
            place.is_dir()
            == on_disk
            == (f"takes 11,520 bytes, more than half of the {free:,}" in capsys.readouterr().out)
        )
    assert same(everything(data), everything(load(folder, cache=False)))
    decoded.clear()
    load(folder, cache=True)
    assert not decoded


# === Free memory ===


def machine(tmp_path, **files):
    for name, text in files.items():
        path = tmp_path / name.replace("__", "/").replace("_d_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


MEMINFO = "MemTotal:  24000 kB\nMemFree:  100 kB\nMemAvailable:  9000 kB\n"
V2 = "sys__fs__cgroup__"


def test_free_memory_of_a_machine(tmp_path):
    assert memory.free(machine(tmp_path, proc__meminfo=MEMINFO)) == 9000 * 1024
    assert 2**20 < memory.free() < 2**50


def test_free_memory_of_a_container(tmp_path):
    root = machine(tmp_path, proc__meminfo=MEMINFO, proc__self__cgroup="0::/a/b\n")
    group = root / "sys" / "fs" / "cgroup"
    for path, limit, used in (("", "max", 9), ("a", "5000000", 1_000_000), ("a/b", "8000000", 500_000)):
        (group / path).mkdir(parents=True, exist_ok=True)
        (group / path / "memory.max").write_text(f"{limit}\n")
        (group / path / "memory.current").write_text(f"{used}\n")
        (group / path / "memory.stat").write_text("anon 7\ninactive_file 300000\n")
    assert memory.free(root) == 5_000_000 - 1_000_000 + 300_000
    (group / "a" / "b" / "memory.current").write_text("9000000\n")
    assert memory.free(root) == 0


def test_free_memory_of_an_older_container(tmp_path):
    root = machine(tmp_path, proc__meminfo=MEMINFO, proc__self__cgroup="4:cpu,memory:/docker/x\n1:cpuset:/\n0::/\n")
    group = root / "sys" / "fs" / "cgroup" / "memory"
    group.mkdir(parents=True)
    (group / "memory.limit_in_bytes").write_text("4000000\n")
    (group / "memory.usage_in_bytes").write_text("1000000\n")
    (group / "memory.stat").write_text("cache 1\ntotal_inactive_file 200000\n")
    assert memory.free(root) == 3_200_000


# === JPEG at a fraction of its size ===


@pytest.mark.parametrize(("height", "width"), [(256, 256), (426, 426), (301, 555)])
@pytest.mark.parametrize("size", [(64, 64), (32, 32), (20, 60)])
def test_large_jpegs_are_decoded_small(tmp_path, height, width, size):
    path = tmp_path / "x.jpg"
    picture(1, height, width).save(path, quality=90)
    with Image.open(path) as image:
        whole = datasets.pictures.fit(np.asarray(image), size)
        # At least twice the requested size is left.
        factor = min(height / size[0], width / size[1])
    found = datasets.decode.read(path, size, 3)
    difference = np.abs(found.astype(int) - whole)
    assert (difference.max() > 0) == (factor >= 4)
    assert difference.max() <= 6 and difference.mean() < 1


def test_a_turned_jpeg_is_decoded_small(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(2, 256, 512).save(tmp_path / "x.jpg", exif=exif, quality=95)
    picture(2, 256, 512).rotate(-90, expand=True).save(tmp_path / "y.png")
    found, upright = (datasets.decode.read(tmp_path / name, (64, 32), 3).astype(int) for name in ("x.jpg", "y.png"))
    assert np.abs(found - upright).max() <= 8 and np.abs(found - upright[::-1]).mean() > 20


# === Kills, full disks and other processes ===


@pytest.fixture(scope="module")
def trials(tmp_path_factory, rounds):
    """Results of caching 320 pictures in processes that are killed, out of disk space, or several."""
    root, place = tmp_path_factory.mktemp("pictures"), tmp_path_factory.mktemp("place")
    for name in ("a", "b"):
        (root / name).mkdir()
        for i in range(160):
            picture(i, 100, 100).save(root / name / f"{i}.png", compress_level=0)
    env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, str(SCRIPT), str(root), str(place), "0", str(rounds(3, 100))]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_a_killed_cache_is_completed(trials):
    assert sorted(trials["files"]) == ["images", "log"]
    for trial in trials["killed"]:
        assert trial["digest"] == trials["digest"] and trial["files"] == trials["files"]
    # Some were killed in the middle.
    assert any(trial["code"] == -9 and 0 < trial["left"] < 20 for trial in trials["killed"])


def test_a_disk_without_room_leaves_nothing(trials):
    for trial in trials["full"]:
        assert trial["code"] == 0 and trial["left"] == []
        assert "was not written, and nothing is left of it: File too large" in trial["error"]
        assert "It needs 245,760 bytes. Make room, pass cache=PATH on another disk" in trial["error"]


def test_one_writes_and_others_wait(trials):
    assert trials["together"]["codes"] == [0, 0, 0] and trials["together"]["files"] == trials["files"]
