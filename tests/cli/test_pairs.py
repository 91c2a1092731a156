"""`keras-gan train`, `evaluate` and `export` of pairs."""

import html
import json
import re
import shlex
import shutil

import keras
import numpy as np
import pytest
from PIL import Image

from keras_gan import callbacks, cli

SMALL = ["--width", "2", "--steps", "6", "--no-export"]


def draw(k):
    """A ring in gray, and the disk in a color that the ring's radius says."""
    rng = np.random.default_rng(k)
    radius, (y, x) = rng.uniform(3, 7), rng.uniform(6, 10, 2)
    distance = np.hypot(*(np.mgrid[:16, :16] - np.reshape([y, x], (2, 1, 1))))
    ring = np.where(abs(distance - radius) < 1, 0, 255).astype("uint8")
    disk = np.where((distance < radius)[..., None], [30 * radius, 60, 250 - 30 * radius], 255).astype("uint8")
    return ring, disk


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """36 pairs of 16x16: rings in A, disks in B, of which each third is a group."""
    root = tmp_path_factory.mktemp("pairs")
    for k in range(36):
        for side, image in zip("ab", draw(k), strict=True):
            (root / side).mkdir(exist_ok=True)
            Image.fromarray(image).save(root / side / f"{k // 3:02}_{k:02}.png")
    return root / "a", root / "b"


@pytest.fixture(scope="module")
def finished(folders, tmp_path_factory):
    """A finished run of few steps."""
    run = tmp_path_factory.mktemp("runs") / "run"
    command = ["train", "--pairs", *folders, "--run-dir", run, "--width", "2", "--steps", "6", "--group", r"^\d+"]
    assert cli.main([*map(str, command)]) == 0
    return run


def fails(capsys, *argv, code=1):
    capsys.readouterr()
    assert cli.main([*map(str, argv)]) == code
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1 and "Traceback" not in captured.err, captured.err
    return captured.err


def test_pairs_become_a_translation_and_a_report(finished, folders):
    found = {p.name for p in finished.iterdir()}
    assert found >= {"options.json", "metrics.jsonl", "gan.keras", "last.keras", "report.html", "samples", "train"}
    assert not found & {"walk.gif", "backup"} and (finished / "translator.tflite").stat().st_size > 1000
    model = keras.models.load_model(finished / "gan.keras")
    assert (model.source_shape, model.data_shape) == ((16, 16, 1), (16, 16, 3))
    assert int(keras.models.load_model(finished / "last.keras").optimizer.iterations) == 6
    options = json.loads((finished / "options.json").read_text())
    # Of 12 groups of three, four are held out, whole.
    assert options["command"]["pairs"] == [*map(str, folders)] and options["images"]["train"] == "train[:-4]"
    groups = [name.partition("_")[0] for name in options["images"]["held_out"]]
    assert len(groups) == 12 and len(set(groups)) == 4
    [line] = callbacks.read_metrics(finished / "metrics.jsonl")
    page = (finished / "report.html").read_text()
    for name in ("mae", "psnr", "ssim", "kernel_distance"):
        assert f">{line[f'val_{name}']:.4g}<" in page, name
    # Sources, outputs and targets of twelve pairs, and the curves. Channels differ: sources can't be compared.
    assert page.count("<img ") == page.count('src="data:image/') == 12 * 3 + 1
    assert "source kernel distance" not in page and "A translation of a to b" in page and "walk" not in page
    with Image.open(finished / "samples" / "epoch_0001.png") as picture:
        assert picture.size == (4 * (3 * 16 + 2) + 3 * 2, 3 * 16 + 2 * 2)


def test_figures_of_a_translation_can_be_measured_again(finished, capsys):
    page = html.unescape((finished / "report.html").read_text())
    (command,) = re.findall(r"<pre>keras-gan (evaluate .*?)</pre>", page)
    assert cli.main([*shlex.split(command), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["count"] == 12
    for name in ("mae", "psnr", "ssim", "kernel_distance"):
        assert f">{found[name]:.4g}<" in page, name
    (again,) = re.findall(r"<pre>keras-gan (train .*?)</pre>", page)
    assert cli.main([*shlex.split(again), "--run-dir", str(finished)]) == 0
    assert "is finished" in capsys.readouterr().out


def test_each_command_says_which_one_takes_the_file(finished, folders, make_image_gan, tmp_path, capsys):
    gan = tmp_path / "gan.keras"
    make_image_gan().save(gan)
    message = fails(capsys, "sample", finished / "gan.keras", "--out", tmp_path / "x.png")
    assert "which translates images. Translate images with keras-gan translate." in message
    message = fails(capsys, "evaluate", finished / "gan.keras", "--data", f"folder:{folders[0]}")
    assert "Give --pairs instead of --data." in message
    assert "Give --data instead of --pairs." in fails(capsys, "evaluate", gan, "--pairs", *folders)
    assert "Draw samples with keras-gan sample." in fails(capsys, "translate", gan, folders[0], tmp_path / "out")
    message = fails(capsys, "evaluate", finished / "gan.keras", "--pairs", *folders, "--features", "classifier")
    assert "--features must be self_supervised, inception or none for --pairs" in message
    message = fails(capsys, "train", "--pairs", *folders, *SMALL, "--run-dir", tmp_path / "r", "--start-from", gan)
    assert "a GAN, which takes latents" in message
    other = ["--run-dir", tmp_path / "r", "--start-from", finished / "gan.keras", "--channels", "3"]
    message = fails(capsys, "train", "--pairs", *folders, *SMALL, *other)
    assert "start_from must make images of (16, 16, 3) from (16, 16, 3)" in message
    assert [p.name for p in tmp_path.iterdir()] == ["gan.keras"]


def test_halves_of_one_picture_the_other_way_round(tmp_path, capsys):
    (tmp_path / "both").mkdir()
    for k in range(24):
        ring, disk = draw(k)
        picture = np.concatenate([np.repeat(ring[..., None], 3, -1), disk], axis=1)
        Image.fromarray(picture).save(tmp_path / "both" / f"{k:02}.png")
    (tmp_path / "both" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n no more")
    run = tmp_path / "run"
    command = ["train", "--pairs", tmp_path / "both", "--direction", "b_to_a", *SMALL, "--run-dir", run]
    assert "broken.png" in fails(capsys, *command) and not run.exists()
    assert cli.main([*map(str, command), "--skip-bad-images", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    page = html.unescape((run / "report.html").read_text())
    assert "A translation of both, right to both, left" in page
    assert keras.models.load_model(run / "last.keras").source_shape == (16, 16, 3)
    # Where channels agree, the sources' own distance is the number to beat.
    assert found["source_kernel_distance"] > 0.05 and f">{found['source_kernel_distance']:.4g}<" in page
    (command,) = re.findall(r"<pre>keras-gan (evaluate .*?)</pre>", page)
    assert cli.main([*shlex.split(command), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    for name in ("source_kernel_distance", "kernel_distance", "mae"):
        assert again[name] == pytest.approx(found[name], rel=1e-3), name


def test_a_dry_run_of_pairs_writes_nothing(folders, tmp_path, capsys, monkeypatch, request):
    monkeypatch.chdir(tmp_path)
    small = tmp_path / "small"
    small.mkdir()
    for path in folders[0].iterdir():
        Image.open(path).resize((8, 8)).save(small / path.name)
    command = ["train", "--pairs", small, folders[1], "--scale", "2", "--dry-run", *SMALL]
    assert cli.main([*map(str, command)]) == 0
    out = capsys.readouterr().out
    assert "Sources: small, 8x8, L" in out and "24 to train on, 12 held out, as 8x8 in gray to 16x16 in color" in out
    assert "24 of 8x8x1 to 16x16x3" in out and "minutes" in out
    assert [p.name for p in tmp_path.iterdir()] == ["small"]
    request.getfixturevalue("measured")
    (small / "more.png").write_bytes((small / "00_00.png").read_bytes())
    capsys.readouterr()
    assert cli.main([*map(str, command)]) == 1
    captured = capsys.readouterr()
    assert "1 of" in captured.out and "more" in captured.out and "1 images have no partner" in captured.err
    assert "take about" in captured.out and cli.main([*map(str, command), "--skip-bad-images"]) == 0


def test_bad_pairs(folders, tmp_path, capsys):
    a, b = folders
    (tmp_path / "empty").mkdir()
    shutil.copytree(a, tmp_path / "copies")
    for name, n in (("few", 20), ("some", 30), ("alike", 36)):
        (tmp_path / name).mkdir()
        for k in range(n):
            Image.fromarray(draw(0 if name == "alike" else k)[0]).save(tmp_path / name / f"{k // 3:02}_{k:02}.png")
    run = [*SMALL, "--run-dir", tmp_path / "run"]

    def said(*options):
        return fails(capsys, "train", "--pairs", *options, *run)

    assert "must hold images" in said(a, tmp_path / "empty")
    assert "a and b must be two folders" in said(a, a) and "one folder alone for images side by side" in said(a, a)
    assert "which hold the same images" in said(a, tmp_path / "copies")
    message = said(a, tmp_path / "few")
    assert "at least 24 pairs" in message and "with 20. 16 images have no partner." in message
    message = said(a, tmp_path / "some")
    assert "6 images have no partner. Rename them" in message and "--skip-bad-images" in message
    assert "alike, whose first" in said(a, tmp_path / "alike")
    assert "must be a folder that exists" in said(a, tmp_path / "none")
    assert "takes two folders, or one folder" in said(a, b, tmp_path / "copies")
    assert "--image-size, the size of targets, must be at least 16 and divisible by 4" in said(a, b, "--image-size", 30)
    assert "divisible by 4, and by --scale, 3. Received: 64" in said(a, b, "--scale", 3)
    assert "group must name the group of each pair" in said(a, b, "--group", "^x")
    assert "at least three groups. Received: ^., which makes 2" in said(a, b, "--group", "^.")
    message = said(a, b, "--latent-dim", 3, "--labels")
    assert "--labels, --latent-dim must be left out for --pairs" in message
    message = fails(capsys, "train", a, "--scale", 2, *run)
    assert "--scale must be left out for images" in message and "only with --pairs." in message
    assert "--channels must be 1 or 3 for images" in fails(capsys, "train", a, "--channels", 4, *run)
    assert "dropout must be" in said(a, b, "--dropout", 1)
    assert not (tmp_path / "run").exists()
    assert cli.main(["train", str(a), "--pairs", str(a), str(b)]) == 2
    assert cli.main(["train"]) == 2 and cli.main(["evaluate", "gan.keras"]) == 2


def test_exchanged_folders_of_two_sizes_are_said(folders, tmp_path, capsys):
    (tmp_path / "large").mkdir()
    for path in folders[0].iterdir():
        Image.open(path).resize((32, 32)).save(tmp_path / "large" / path.name)
    run = ["--scale", "2", *SMALL, "--run-dir", tmp_path / "run"]
    message = fails(capsys, "train", "--pairs", tmp_path / "large", folders[1], *run)
    assert "Received: sources of 32x32, targets of 16x16. Exchange the folders, or give --direction" in message
