"""`keras-gan train`, `translate`, `evaluate` and `export` of two sets without pairs."""

import html
import json
import re
import shlex
import shutil
import types

import keras
import numpy as np
import pytest
from PIL import Image

import keras_gan
from keras_gan import callbacks, cli
from keras_gan.cli import evaluate

SMALL = ["--width", "2", "--steps", "6"]


def draw(k, side):
    """A ring on white in A, a disk on black in B."""
    rng = np.random.default_rng([k, "ab".index(side)])
    radius, (y, x) = rng.uniform(3, 7), rng.uniform(6, 10, 2)
    distance = np.hypot(*(np.mgrid[:16, :16] - np.reshape([y, x], (2, 1, 1))))
    if side == "a":
        return np.where((abs(distance - radius) < 1)[..., None], [0, 0, 0], 255).astype("uint8")
    return np.where((distance < radius)[..., None], [30 * radius, 60, 250 - 30 * radius], 0).astype("uint8")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """24 rings in A, 36 disks in B, of which one can't be read."""
    root = tmp_path_factory.mktemp("sets")
    for side, n in (("a", 24), ("b", 36)):
        (root / side).mkdir()
        for k in range(n):
            Image.fromarray(draw(k, side)).save(root / side / f"{side}{k:02}.png")
    (root / "b" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n no more")
    return root / "a", root / "b"


@pytest.fixture(scope="module")
def finished(folders, tmp_path_factory):
    """A finished run of few steps."""
    run = tmp_path_factory.mktemp("runs") / "run"
    command = ["train", "--unpaired", *folders, "--run-dir", run, *SMALL, "--skip-bad-images"]
    assert cli.main([*map(str, command)]) == 0
    return run


def fails(capsys, *argv, code=1):
    capsys.readouterr()
    assert cli.main([*map(str, argv)]) == code
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1 and "Traceback" not in captured.err, captured.err
    return captured.err


def test_a_held_out_image_that_can_not_be_read_is_refused_before_anything_is_written(folders, tmp_path, capsys):
    (tmp_path / "b").mkdir()
    for path in sorted(folders[1].glob("b*.png")):
        (tmp_path / "b" / path.name).write_bytes(path.read_bytes())
    # The last of a folder are held out.
    (tmp_path / "b" / "b35.png").write_bytes(b"\x89PNG\r\n\x1a\n no more")
    (tmp_path / "b" / "broken.png").unlink()
    run = tmp_path / "run"
    message = fails(capsys, "train", "--unpaired", folders[0], tmp_path / "b", *SMALL, "--run-dir", run)
    assert "1 images can't be read: b/b35.png" in message and "--skip-bad-images" in message and not run.exists()


def test_two_sets_become_a_translation_and_a_report(finished, folders):
    found = {p.name for p in finished.iterdir()}
    assert found >= {"options.json", "metrics.jsonl", "gan.keras", "last.keras", "report.html", "samples", "train"}
    assert "backup" not in found and "walk.gif" not in found
    assert all((finished / name).stat().st_size > 1000 for name in ("translator.tflite", "translator_to_a.tflite"))
    assert int(keras.models.load_model(finished / "last.keras").optimizer.iterations) == 6
    assert keras.models.load_model(finished / "gan.keras").shapes == {"a": (16, 16, 3), "b": (16, 16, 3)}
    options = json.loads((finished / "options.json").read_text())
    assert options["command"]["unpaired"] == [*map(str, folders)] and options["images"]["total"] == [24, 36]
    assert options["images"]["train"] == "train[:-8]" and options["images"]["compared"] == "train[-8:]"
    assert [len(names) for names in options["images"]["held_out"]] == [8, 8]
    [line] = callbacks.read_metrics(finished / "metrics.jsonl")
    page = html.unescape((finished / "report.html").read_text())
    for name in ("kernel_distance_a", "kernel_distance_b", "cycle_loss_a", "cycle_loss_b"):
        assert f">{line[f'val_{name}']:.4g}<" in page, name
    assert "source kernel distance" in page and "A translation between a and b" in page
    assert "24 images" in page and "36 images" in page and "1 images can't be read: b/broken.png" in page
    # Eight of each set, there and back, and the curves.
    assert page.count("<img ") == page.count('src="data:image/') == 2 * 8 * 3 + 1
    assert page.count('alt="as b"') == page.count('alt="as a"') == 8
    with Image.open(finished / "samples" / "epoch_0001.png") as picture:
        assert picture.size == (3 * (3 * 16 + 2) + 2 * 2, 3 * 33 + 2 * 2)


def test_figures_of_both_ways_can_be_measured_again(finished, capsys):
    page = html.unescape((finished / "report.html").read_text())
    (command,) = re.findall(r"<pre>keras-gan (evaluate .*?)</pre>", page)
    assert cli.main([*shlex.split(command), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    # As many of each set, or an image that came again would count as another.
    assert found["count"] in (7, 8)
    for name in ("kernel_distance_a", "kernel_distance_b", "cycle_loss_a", "source_kernel_distance"):
        assert f">{found[name]:.4g}<" in page, name
    (again,) = re.findall(r"<pre>keras-gan (train .*?)</pre>", page)
    assert cli.main([*shlex.split(again), "--run-dir", str(finished)]) == 0
    assert "is finished" in capsys.readouterr().out


def test_images_are_translated_and_exported_both_ways(finished, folders, tmp_path, capsys):
    model = keras.models.load_model(finished / "gan.keras")
    image = folders[0] / "a00.png"
    for to in (None, "b", "a"):
        option = [] if to is None else ["--to", to]
        assert cli.main([*map(str, ["translate", finished / "gan.keras", image, tmp_path / f"{to}.png", *option])]) == 0
        with Image.open(image) as picture:
            made = model.translate(np.asarray(picture)[None] / np.float32(127.5) - 1, to=to or "b")[0]
        with Image.open(tmp_path / f"{to}.png") as picture:
            np.testing.assert_allclose(np.asarray(picture), made * 127.5 + 127.5, atol=0.51)
    assert (tmp_path / "None.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()
    command = ["export", finished / "gan.keras", tmp_path / "out", "--to", "a", "--data", folders[1], "--json"]
    capsys.readouterr()
    assert cli.main([*map(str, command), "--skip-bad-images"]) == 0
    assert json.loads(capsys.readouterr().out)["task"] == "image-to-image"


def test_figures_of_sources_are_those_of_the_compared_images(finished, folders, monkeypatch):
    args = types.SimpleNamespace(
        gan=str(finished / "gan.keras"),
        unpaired=[*map(str, folders)],
        features="none",
        skip_bad_images=True,
        batch_size=10,
        **dict.fromkeys(["split", "direction", "group", "degrade"]),
    )
    compared, passes = evaluate._BothWays(args), []

    def note(sets, features, max_examples):
        passes.append(np.concatenate([b for _, b in sets.as_numpy_iterator()]))
        return {}

    monkeypatch.setattr(evaluate, "figures_of_sources", note)
    outputs = np.concatenate([b for _, b in compared.data.as_numpy_iterator()])
    compared.figures(None, 10)
    # 24 of 36, the same ones.
    assert outputs.shape == (24, 16, 16, 3)
    np.testing.assert_array_equal(outputs, passes[0])


def test_images_in_0_1_are_what_generators_with_a_sigmoid_take(folders, tmp_path, monkeypatch):
    def generator():
        last = keras.layers.Conv2D(3, 3, padding="same", activation="sigmoid")
        return keras.Sequential([keras.Input((16, 16, 3)), last])

    def discriminator():
        return keras_gan.architectures.patch_discriminator((16, 16, 3), 2)

    model = keras_gan.CycleGAN(generator(), generator(), discriminator(), discriminator(), seed=0)
    model.save(tmp_path / "gan.keras")
    image, made = folders[0] / "a00.png", tmp_path / "made.png"
    assert cli.main([*map(str, ["translate", tmp_path / "gan.keras", image, made])]) == 0
    with Image.open(image) as source, Image.open(made) as picture:
        expected = 255 * model.translate(np.asarray(source)[None] / np.float32(255))[0]
        np.testing.assert_allclose(np.asarray(picture), expected, atol=0.51)
    given = []

    def export(self, path, to, data, **options):
        given.extend(np.asarray(batch) for batch in data)
        return "exported"

    monkeypatch.setattr(keras_gan.CycleGAN, "export", export)
    assert cli.main([*map(str, ["export", tmp_path / "gan.keras", "x.tflite", "--data", folders[0]])]) == 0
    # Rings on white.
    assert min(batch.min() for batch in given) == 0 and max(batch.max() for batch in given) == 1


def test_each_command_says_which_one_takes_the_file(finished, folders, make_image_gan, tmp_path, capsys):
    gan, cycle = tmp_path / "gan.keras", finished / "gan.keras"
    make_image_gan().save(gan)
    message = fails(capsys, "sample", cycle, "--out", tmp_path / "x.png")
    assert "which translates images both ways. Translate images with keras-gan translate." in message
    message = fails(capsys, "evaluate", cycle, "--data", f"folder:{folders[0]}")
    assert "Give --unpaired instead of --data." in message
    assert "Give --unpaired instead of --pairs." in fails(capsys, "evaluate", cycle, "--pairs", *folders)
    assert "Give --data instead of --unpaired." in fails(capsys, "evaluate", gan, "--unpaired", *folders)
    message = fails(capsys, "evaluate", cycle, "--unpaired", *folders, "--features", "classifier")
    assert "inception or none for --unpaired" in message
    assert "--group is for --pairs. Received: --unpaired" in fails(
        capsys, "evaluate", cycle, "--unpaired", *folders, "--group", "x"
    )
    message = fails(capsys, "export", gan, tmp_path / "x.tflite", "--to", "a")
    assert "--to is only for a model from train --unpaired" in message
    message = fails(capsys, "train", "--unpaired", *folders, *SMALL, "--run-dir", tmp_path / "r", "--start-from", gan)
    assert "a GAN, which takes latents" in message or "can't be read" in message
    assert [p.name for p in tmp_path.iterdir()] == ["gan.keras"]


def test_a_dry_run_of_two_sets_writes_nothing(folders, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    other = tmp_path / "gray"
    other.mkdir()
    for path in folders[0].iterdir():
        Image.open(path).convert("L").resize((40, 20)).save(other / path.name)
    command = ["train", "--unpaired", folders[0], other, "--dry-run", *SMALL, "--image-size", "20"]
    assert cli.main([*map(str, command)]) == 0
    out = capsys.readouterr().out
    assert "A: a, 24 images, 16x16, RGB" in out and "B: gray, 24 images, 40x20, L" in out
    assert "16 and 16 to train on, 8 and 8 held out, as 20x20 in color" in out
    assert "Some images of a are smaller, down to 16x16" in out and "Some images of gray" not in out
    assert "Both hold the same names: if images of one name belong together, --pairs would learn more" in out
    assert "16 of 20x20x3, 16 of 20x20x3" in out and "minutes" in out
    assert "U-Nets, depth 2, and patches, width 2" in out
    residual = ["--architecture", "residual", "--blocks", "1", "--separable"]
    assert cli.main([*map(str, command), *residual]) == 0
    assert "separable, 1 blocks, and patches, width 2" in capsys.readouterr().out
    message = fails(capsys, *command, "--separable")
    assert "choices for architecture='residual'. Received: architecture='unet', blocks=None, separable=True" in message
    assert [p.name for p in tmp_path.iterdir()] == ["gray"]


def test_bad_sets(folders, tmp_path, capsys):
    a, b = folders
    for name, n in (("few", 11), ("alike", 24), ("empty", 0)):
        (tmp_path / name).mkdir()
        for k in range(n):
            Image.fromarray(draw(0 if name == "alike" else k, "b")).save(tmp_path / name / f"{k}.png")
    shutil.copytree(a, tmp_path / "outer" / "inner")
    run = [*SMALL, "--no-export", "--run-dir", tmp_path / "run"]

    def said(*options):
        return fails(capsys, "train", "--unpaired", *options, *run)

    assert "1 images can't be read: b/broken.png" in said(a, b)
    assert "must hold images" in said(a, tmp_path / "empty")
    assert "must be two folders, neither inside the other" in said(a, a)
    assert "neither inside the other" in said(tmp_path / "outer", tmp_path / "outer" / "inner")
    message = said(a, tmp_path / "few")
    assert "at least 12 images" in message and "a with 24 and" in message and "few with 11" in message
    assert "alike, whose first" in said(a, tmp_path / "alike")
    assert f"in a folder that exists. Received: '{tmp_path / 'none'}'." in said(a, tmp_path / "none")
    assert "--image-size must be at least 16 and divisible by 4. Received: 30" in said(a, b, "--image-size", 30)
    assert "--channels must be 1 or 3 for --unpaired" in said(a, b, "--channels", 4)
    message = said(a, b, "--labels", "--scale", 2)
    assert "--scale, --labels must be left out for --unpaired" in message and "only with --pairs or images." in message
    message = fails(capsys, "train", a, "--cycle-weight", 2, *run)
    assert "--cycle-weight must be left out for images" in message and "only with --unpaired." in message
    assert "cycle_weight must be" in said(a, b, "--cycle-weight", -1)
    assert not (tmp_path / "run").exists()
    assert cli.main(["train", "--pairs", str(a), "--unpaired", str(a), str(b)]) == 2
    assert cli.main(["train", "--unpaired", str(a)]) == 2
