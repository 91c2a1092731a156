"""`keras-gan train --degrade`, and what the other commands do with what it made."""

import html
import json
import re
import shlex

import keras
import numpy as np
import pytest
from PIL import Image

import keras_gan
from keras_gan import callbacks, cli, pace

SMALL = ["--width", "2", "--steps", "6"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """36 images of 16x16, stripes of three colors."""
    folder = tmp_path_factory.mktemp("large")
    for k in range(36):
        rng = np.random.default_rng(k)
        stripes = (np.arange(16) + rng.integers(4)) // rng.integers(1, 5) % 2
        image = np.where(stripes[:, None, None], *rng.integers(0, 256, (2, 3))).repeat(16, 1).astype("uint8")
        Image.fromarray(image).save(folder / f"{k:02}.png")
    return folder


@pytest.fixture(scope="module")
def finished(folder, tmp_path_factory):
    """A finished run of few steps."""
    run = tmp_path_factory.mktemp("runs") / "run"
    assert cli.main([*map(str, ["train", folder, "--degrade", "2", "--run-dir", run, *SMALL])]) == 0
    return run


def fails(capsys, *argv, code=1):
    capsys.readouterr()
    assert cli.main([*map(str, argv)]) == code
    captured = capsys.readouterr()
    assert code == 2 or captured.err.count("\n") == 1, captured.err
    assert "Traceback" not in captured.err, captured.err
    return captured.err


def test_large_images_become_what_enlarges_and_a_report(finished, folder):
    found = {p.name for p in finished.iterdir()}
    assert found >= {"options.json", "metrics.jsonl", "gan.keras", "last.keras", "report.html", "samples", "train"}
    assert not found & {"walk.gif", "backup"} and (finished / "translator.tflite").stat().st_size > 1000
    model = keras.models.load_model(finished / "gan.keras")
    assert (model.source_shape, model.data_shape) == ((8, 8, 3), (16, 16, 3))
    assert any(isinstance(layer, keras.layers.UpSampling2D) for layer in model.generator.layers)
    assert int(keras.models.load_model(finished / "last.keras").optimizer.iterations) == 6
    options = json.loads((finished / "options.json").read_text())
    assert options["command"]["degrade"] == 2 and options["images"]["source_shape"] == [8, 8, 3]
    assert len(options["images"]["held_out"]) == 12 and options["images"]["train"] == "train[:-12]"
    [line] = callbacks.read_metrics(finished / "metrics.jsonl")
    page = (finished / "report.html").read_text()
    for name in ("mae", "psnr", "ssim", "kernel_distance"):
        assert f">{line[f'val_{name}']:.4g}<" in page, name
    # Sources, enlarged ones, outputs and targets of twelve, and the curves.
    assert page.count("<img ") == page.count('src="data:image/') == 12 * 4 + 1
    assert page.count('alt="bicubic"') == 12 and "source, bicubic, output and target" in page
    assert "source kernel distance" not in page and " by a factor of 2" in page
    assert "12 held out, as 16x16 in color, with sources of 8x8 made from them" in page


def test_the_report_says_what_bicubic_enlargement_gives(finished, folder, capsys):
    page = html.unescape((finished / "report.html").read_text())
    held_out = keras_gan.datasets.load_pairs(folder, batch_size=12, split="train[-12:]", degrade=2)
    ((source, target),) = held_out
    enlarged = keras.ops.clip(keras.ops.image.resize(source, (16, 16), "bicubic"), -1, 1)
    # The evaluation that the report names, too, makes the same noise.
    (command,) = re.findall(r"<pre>keras-gan (evaluate .*?)</pre>", page)
    assert f"--data folder:{folder} --degrade 2" in command
    assert cli.main([*shlex.split(command), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["count"] == 12
    for name, metric in (("psnr", keras_gan.metrics.PSNR()), ("ssim", keras_gan.metrics.SSIM())):
        expected = float(metric(target, enlarged))
        assert found[f"bicubic_{name}"] == pytest.approx(expected, rel=1e-5)
        assert f">{expected:.4g}<" in page and f">{found[name]:.4g}<" in page, name
    assert np.isfinite(found["bicubic_kernel_distance"])


def test_what_enlarges_is_translated_with_and_exported(finished, folder, tmp_path, capsys):
    model = keras.models.load_model(finished / "gan.keras")
    image = np.asarray(Image.open(folder / "00.png").resize((8, 8)))
    Image.fromarray(image).save(tmp_path / "small.png")
    command = ["translate", finished / "gan.keras", tmp_path / "small.png", tmp_path / "large.png"]
    assert cli.main([*map(str, command)]) == 0
    made = model.predict(image[None] / np.float32(127.5) - 1, verbose=0)[0]
    with Image.open(tmp_path / "large.png") as picture:
        np.testing.assert_allclose(np.asarray(picture), made * 127.5 + 127.5, atol=0.51)
    capsys.readouterr()
    assert cli.main([*map(str, ["export", finished / "gan.keras", tmp_path / "out", "--data", folder, "--json"])]) == 0
    assert json.loads(capsys.readouterr().out)["task"] == "image-to-image"


def test_a_dry_run_of_large_images_writes_nothing(folder, tmp_path, capsys, monkeypatch):
    measured = []

    def measure(model, train, validation_data, following, seconds):
        measured.append((model, train, validation_data))
        return pace.Pace(start=0.0, step=1.0, epoch_end=60.0)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pace, "measure", measure)
    command = ["train", folder, "--degrade", "4", "--dry-run", *SMALL, "--image-size", "20", "--channels", "1"]
    assert cli.main([*map(str, command)]) == 0
    [(model, train, held_out)] = measured
    assert {type(metric).__name__ for metric in model.evaluation_metrics} >= {"KernelDistance", "PSNR", "SSIM"}
    for data, count in ((train, 16), (held_out, 12)):
        assert [part.shape for part in next(iter(data))] == [(count, 5, 5, 1), (count, 20, 20, 1)]
    out = capsys.readouterr().out
    assert "24 to train on, 12 held out, as 20x20 in gray, with sources of 5x5 made from them" in out
    assert "are smaller, down to 16x16" in out
    assert "24 of 5x5x1 to 20x20x1" in out and "EDSR and patches, width 2" in out and "minutes" in out
    assert [*tmp_path.iterdir()] == []


def test_bad_large_images(finished, folder, make_image_gan, tmp_path, capsys):
    run = [*SMALL, "--run-dir", tmp_path / "run"]
    (tmp_path / "alike").mkdir()
    for k in range(24):
        Image.new("RGB", (16, 16), (9, 90, 200)).save(tmp_path / "alike" / f"{k}.png")

    def said(*options):
        return fails(capsys, "train", *options, *run)

    assert "source must hold different images" in said(tmp_path / "alike", "--degrade", 2)
    message = said("--pairs", folder, folder, "--degrade", 2)
    assert "--degrade must be left out for --pairs" in message and "only with images with --degrade" in message
    assert "--degrade must be left out for --unpaired" in said("--unpaired", folder, folder, "--degrade", 2)
    message = said(folder, "--degrade", 2, "--labels", "--r1", 0, "--no-augment")
    assert "--labels, --r1, --augment must be left out for images with --degrade" in message
    assert "is for a folder of images. Received: digits" in said("digits", "--degrade", 2)
    assert "divisible by 4, and at least 16. Received: 30. Give 32." in said(folder, "--degrade", 2, "--image-size", 30)
    assert "at least 16. Received: 12. Give 16." in said(folder, "--degrade", 4, "--image-size", 12)
    assert "dropout must be 0" in said(folder, "--degrade", 2, "--dropout", 0.5)
    assert "invalid choice" in fails(capsys, "train", folder, "--degrade", 3, *run, code=2)
    assert not (tmp_path / "run").exists()
    make_image_gan().save(tmp_path / "gan.keras")
    data, model = ["--data", f"folder:{folder}"], finished / "gan.keras"
    assert "Or add --degrade 2." in fails(capsys, "evaluate", model, *data)
    assert "must make sources of (8, 8, 3)" in fails(capsys, "evaluate", model, *data, "--degrade", 4)
    assert "With --degrade, --data must be an existing folder" in fails(
        capsys, "evaluate", model, "--data", "digits", "--degrade", 2
    )
    assert "--degrade is for --data" in fails(capsys, "evaluate", model, "--pairs", folder, "--degrade", 2)
    message = fails(capsys, "evaluate", model, "--data", f"folder:{tmp_path / 'none'}", "--degrade", 2)
    assert "--degrade: a must be a folder that exists" in message
    assert "--group is for --pairs" in fails(capsys, "evaluate", model, *data, "--degrade", 2, "--group", "x")
    message = fails(capsys, "evaluate", tmp_path / "gan.keras", *data, "--degrade", 2)
    assert "a GAN, which takes latents. Give --data instead of --degrade." in message
