"""The recipes run alone, in a short form, and leave what they promise."""

import ast
import importlib.metadata
import json
import logging
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import keras_gan

RECIPES = Path(__file__).parents[2] / "recipes"


def width(path):
    with Image.open(path) as image:
        return image.width


@pytest.fixture(scope="session")
def alone(tmp_path_factory):
    """A function that copies a recipe into an empty folder, and returns the copy's path."""
    return lambda name: Path(shutil.copy(RECIPES / name, tmp_path_factory.mktemp("alone")))


@pytest.fixture
def run(alone, monkeypatch, capfd):
    """A function that runs a recipe alone as a script, but in this process, where TensorFlow is imported already."""
    # It is told to users once a machine.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)

    def run(name, *args, cwd):
        with monkeypatch.context() as patch:
            patch.chdir(cwd)
            patch.setenv("COLUMNS", "80")
            patch.setattr(sys, "argv", [name, *args])
            patch.setattr(sys, "path", [place for place in sys.path if Path(place) != RECIPES])
            # pytest's handlers would keep from stderr what is logged.
            patch.setattr(logging.root, "handlers", [])
            capfd.readouterr()
            keras.backend.clear_session()
            try:
                runpy.run_path(str(alone(name)), run_name="__main__")
                code = 0
            except SystemExit as end:
                code = end.code
        return code, *capfd.readouterr()

    return run


@pytest.fixture(scope="session")
def _runs():
    return {}


@pytest.fixture
def finished(_runs, run, tmp_path_factory):
    """A function that runs a recipe with --quick, once a session, and returns its output, summary and folder."""

    def finish(name):
        if name not in _runs:
            cwd = tmp_path_factory.mktemp(name)
            code, out, err = run(f"{name}.py", "--quick", cwd=cwd)
            # Without chatter of any library, but for what TensorFlow says when it is imported.
            assert (code, err) == (0, "")
            (folder,) = (cwd / "runs").iterdir()
            _runs[name] = out, json.loads((folder / "summary.json").read_text()), folder
        return _runs[name]

    return finish


NAMES = sorted(p.stem for p in RECIPES.glob("*.py"))


@pytest.fixture(scope="module")
def dependencies():
    """The modules of the packages that are installed with the library and its extras."""

    def named(package):
        return re.match(r"[\w-]+", package)[0].lower().replace("_", "-")

    required = set(map(named, importlib.metadata.requires("keras-gan")))
    providers = importlib.metadata.packages_distributions().items()
    return {module for module, packages in providers if required & set(map(named, packages))}


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_needs_the_library_alone(name, dependencies):
    tree = ast.parse((RECIPES / f"{name}.py").read_text(encoding="utf-8"))
    nodes = list(ast.walk(tree))
    paths = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    # Of a relative import the module is None.
    paths += [node.module for node in nodes if isinstance(node, ast.ImportFrom)]
    found = {path.split(".")[0] for path in paths} - sys.stdlib_module_names - {"keras_gan"}
    assert found and not found - dependencies
    # As the command does, before TensorFlow is imported.
    if "keras" in found:
        _, first, second, *_ = map(ast.unparse, tree.body)
        assert (first, second) == ("import os", "os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '1')")


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_runs_quietly_and_leaves_its_folder(name, finished):
    out, summary, folder = finished(name)
    assert re.fullmatch(name + r"-\d{8}-\d{6}", folder.name)
    if "callbacks.for_run(" in (RECIPES / f"{name}.py").read_text(encoding="utf-8"):
        assert list(folder.rglob("*.keras")) and list(folder.rglob("samples/epoch_0001.png"))
        assert list(folder.rglob("train/events.out.tfevents*"))
    closing = out[out.rindex("\n\nIn runs/") :].splitlines()
    assert "summary.json" in out and max(map(len, closing)) <= 100
    listed = out.split("\n\nIn runs/")[1].split("\n\n")[0].splitlines()[1:]
    assert all(any(folder.glob(name)) for line in listed for name in line[2:22].strip().split(", "))
    assert summary


def test_digits_exports_a_checked_generator(finished):
    out, summary, folder = finished("digits")
    assert (folder / "generator.tflite").stat().st_size == summary["export"]["bytes"]
    # A generator after two epochs makes small numbers, and 8 bits keep them well.
    assert summary["export"]["quantize"] == "dynamic" and 0 < summary["export"]["max_error"] <= 0.06
    assert 0 < summary["export"]["mean_error"] <= 0.003
    assert sum(summary["shares"]) == pytest.approx(1)
    assert 0.1 < summary["mean_top_probability"] <= 1
    assert summary["judge_accuracy_on_real_test_digits"] > 0.8
    assert summary["frechet_distance"] > 0
    assert "Epoch 2/2" in out


def test_figures_are_shares(finished):
    assert 0 <= finished("conditional_digits")[1]["agreement"] <= 1
    summary = finished("infogan_digits")[1]
    assert 0.1 <= summary["match"] <= 1 and sorted(summary["digit_of_code"]) == list(range(10))


def test_two_ways_to_know_digits_are_compared(finished):
    _, summary, folder = finished("generative_vs_discriminative")
    real = summary["from_real"]["1000"]
    assert summary["linear_error"] < 1e-9
    # Of which only those of the GAN depend on its training.
    assert 0.8 < real["Gaussians, shared covariance"] < real["logistic regression"] < 0.95
    assert real["logistic regression"] < real["Gaussians, own covariance"] < 0.99
    assert summary["from_generated"].keys() == real.keys()
    assert width(folder / "comparison.png") > 1000


def test_a_gan_and_an_autoencoder_train_equally_long(finished):
    _, summary, folder = finished("gan_vs_vae")
    assert summary["GAN"]["steps"] == 2 and 1 <= summary["VAE"]["steps"] < 500
    # Untrained both are blurred, and far from any digit.
    assert all(0 < summary[name]["sharpness"] < 0.5 < summary[name]["reconstruction_error"] for name in ("VAE", "GAN"))
    assert width(folder / "comparison.png") > 1000


def test_faces_walk_and_are_added(finished, run, tmp_path):
    _, summary, folder = finished("dcgan_faces")
    for shares in (summary["samples"], summary["sums"]):
        assert list(shares) == ["glasses_long", "glasses_short", "plain_long", "plain_short"]
        assert sum(shares.values()) == pytest.approx(1)
    with Image.open(folder / "walk.gif") as image:
        assert image.n_frames == 72 and image.size == (2 * (4 * 66 - 2), 2 * 64)
    assert width(folder / "faces.png") > 1500
    # What one picks by hand, of data without a classifier; nothing is trained again, and nothing drawn.
    picks = ["--pick", *map(str, range(9)), "--data", "celeb_a"]
    gan = ["--gan", str(folder / "gan.keras")]
    assert run("dcgan_faces.py", "--quick", "--run-dir", "mine", *gan, *picks, cwd=tmp_path)[0] == 0
    assert sorted(p.name for p in (tmp_path / "mine").iterdir()) == ["faces.png", "summary.json", "walk.gif"]
    assert (tmp_path / "mine/walk.gif").read_bytes() == (folder / "walk.gif").read_bytes()
    assert run("dcgan_faces.py", "--pick", "1", cwd=tmp_path)[0] == 2


def test_weights_of_a_translation_are_compared(finished):
    _, summary, folder = finished("pix2pix")
    assert list(summary) == ["seconds", "weight_30", "weight_100", "weight_300"]
    for name in ("weight_30", "weight_300"):
        assert 0 < summary[name]["mae"] < 2 and 0 < summary[name]["psnr"] < 30 and summary[name]["kernel_distance"] > 0
    # Source, three outputs and target of eight pairs.
    with Image.open(folder / "comparison.png") as image:
        assert image.size == (5 * 16 + 4, 8 * 16 + 7 * 2)


@pytest.mark.long
def test_a_translation_by_the_distance_alone_is_compared(run, tmp_path):
    flags = ["--run-dir", "mine", "--reconstruction-weight", "100", "--l1-only"]
    code, _, err = run("pix2pix.py", "--quick", *flags, cwd=tmp_path)
    assert (code, err) == (0, "")
    summary = json.loads((tmp_path / "mine" / "summary.json").read_text())
    assert list(summary) == ["seconds", "weight_100", "l1_only"] and (tmp_path / "mine" / "l1_only.keras").exists()
    assert 0 < summary["l1_only"]["mae"] < 2


def test_a_translation_without_pairs_is_judged_by_pairs(finished, tmp_path):
    _, summary, folder = finished("cyclegan")
    assert list(summary) == ["the sources", "identity_0.5"] and summary["identity_0.5"].pop("seconds") > 0
    figures = {"kernel_distance_a", "kernel_distance_b", "mae_a", "mae_b"}
    assert summary["the sources"].keys() == summary["identity_0.5"].keys() == figures
    # Outlines are as far from drawings as drawings from outlines, and what is made after a few steps is far from both.
    assert 0.05 < summary["the sources"]["mae_a"] == summary["the sources"]["mae_b"] < 0.8
    assert all(0.05 < summary["identity_0.5"][name] < 2 for name in ("mae_a", "mae_b"))
    # An image of A, in B, back, and the truth, of eight.
    with Image.open(folder / "comparison.png") as image:
        assert image.size == (4 * 16 + 3, 8 * 16 + 7 * 2)


@pytest.mark.long
@pytest.mark.parametrize("same_names", [True, False])
def test_folders_without_pairs_are_translated(same_names, run, tmp_path):
    rng = np.random.default_rng(0)
    for name, n in (("a", 60), ("b", 60 if same_names else 80)):
        (tmp_path / name).mkdir()
        for k in range(n):
            Image.fromarray(rng.integers(0, 256, (16, 16, 3), "uint8")).save(
                tmp_path / name / f"{'' if same_names else name}{k}.png"
            )
    code, _, err = run("cyclegan.py", "--quick", "--data", "a", "b", "--run-dir", "mine", cwd=tmp_path)
    assert (code, err) == (0, "")
    summary = json.loads((tmp_path / "mine" / "summary.json").read_text())
    assert ("mae_b" in summary["identity_0.5"]) == same_names and "kernel_distance_b" in summary["identity_0.5"]


def test_ways_to_enlarge_are_compared(finished):
    _, summary, folder = finished("super_resolution")
    assert list(summary) == ["seconds", "bicubic", "distance", "gan"]
    for name in ("bicubic", "distance", "gan"):
        # The networks begin as bilinear enlargement, which is no better on drawings.
        assert 10 < summary[name]["psnr"] <= summary["bicubic"]["psnr"] + 0.5 and 0.3 < summary[name]["ssim"] < 0.95
        assert summary[name]["kernel_distance"] > 0
    assert summary["gan"] != summary["distance"]
    # Source, three outputs and target of eight pictures.
    with Image.open(folder / "comparison.png") as image:
        assert image.size == (5 * 16 + 4, 8 * 16 + 7 * 2)


@pytest.mark.long
def test_a_folder_of_pictures_is_enlarged(run, tmp_path):
    rng = np.random.default_rng(0)
    for i in range(40):
        Image.fromarray(rng.integers(0, 256, (20, 24, 3), "uint8")).save(tmp_path / f"{i}.png")
    code, _, err = run(
        "super_resolution.py", "--quick", "--data", ".", "--scale", "4", "--run-dir", "mine", cwd=tmp_path
    )
    assert (code, err) == (0, "")
    assert keras.models.load_model(tmp_path / "mine" / "gan.keras").source_shape == (4, 4, 3)


def test_photographs_are_held_out_and_measured(finished):
    out, summary, folder = finished("photos")
    assert list(summary) == ["photographs", "steps", "kernel_distance", "kernel_distance_error", "memorization"]
    assert summary["photographs"] == 67 and summary["steps"] == 5
    # After five steps samples are gray: far from drawings, and no copies of any.
    assert 0.5 < summary["kernel_distance"] < 20 and 0 <= summary["memorization"] < 0.2
    assert "seen too seldom to be memorized" in out and list(folder.glob("samples/epoch_0001.png"))
    assert width(folder / "samples.png") == width(folder / "nearest.png") == 10 * 18 - 2
    # The nearest ones are of those that were trained on.
    name = f"folder:{folder / 'drawn'}"
    known = keras_gan.datasets.load(name, 67, "train[:90%]")
    with Image.open(folder / "nearest.png") as image:
        pictures = np.asarray(image)
    known = keras_gan.images.to_uint8(next(iter(known)))
    for i in range(10):
        assert (known == pictures[18:, 18 * i : 18 * i + 16]).all((1, 2, 3)).any()


@pytest.mark.long
def test_some_photographs_are_learned_by_class_in_the_minutes(finished, run, tmp_path):
    drawn = finished("photos")[2] / "drawn"
    flags = ["--data", drawn, "--labels", "--image-size", "16", "--count", "40", "--no-augmentation"]
    code, out, err = run("photos.py", *map(str, flags), "--minutes", "0.6", "--run-dir", "mine", cwd=tmp_path)
    assert code == 0 and err == "", err[-3000:]
    assert "40 of 16x16x3" in out and re.search(r"augment +no", out)
    summary = json.loads((tmp_path / "mine" / "summary.json").read_text())
    assert summary["photographs"] == 40 and summary["steps"] >= 1
    assert 0 <= summary["samples_of_their_class"] <= 1 and summary["held_out_of_their_class"] > 0.4
    assert width(tmp_path / "mine" / "samples.png") == 3 * 18 - 2


def test_a_latent_walk_is_drawn(finished):
    _, summary, folder = finished("latent_walk")
    assert [row["truncation"] for row in summary["truncations"]] == [0.25, 0.5, 1.0, 1.5, None]
    assert summary["lengths"]["lerp"] < 0.75 * summary["lengths"]["slerp"]
    with Image.open(folder / "walk.gif") as image:
        assert image.n_frames == 80 and image.size == (3 * (8 * 30 - 2), 3 * 56)
    assert width(folder / "walks.png") > 1000


def test_gaussians_are_judged_and_drawn(finished):
    _, summary, folder = finished("gaussians")
    assert list(folder.rglob("*.keras")) and list(folder.rglob("train/events.out.tfevents*"))
    for name, modes in (("ring", 8), ("grid", 25)):
        assert 0 <= summary[name]["modes"] <= modes and 0 <= summary[name]["high_quality"] <= 1
        assert 0 <= summary[name]["reverse_kl"] <= np.log(modes) + 1e-6
    assert len(list(folder.glob("*.keras"))) == 2 and list(folder.rglob("train/events.out.tfevents*"))
    picture = np.asarray(Image.open(folder / "samples.png").convert("RGB"))
    # Four panels, of which a generated one is mostly red after an epoch.
    assert min(picture.shape[:2]) > 900 and (picture == [214, 39, 40]).all(-1).sum() > 1000


def test_figures_of_the_texts(finished):
    rows = finished("optimal_discriminator")[1]["generators"]
    assert rows[0]["loss"] == pytest.approx(1.3863, abs=0.01)
    # What a loss proves is a lower bound.
    assert all(row["implied"] <= row["divergence"] + 1e-4 for row in rows)
    assert rows[-1]["implied"] > 0.45
    logs = finished("saturation")[1]
    held = slice(0, logs["epochs_held_still"])
    minimax, other = logs["minimax"], logs["non_saturating"]
    assert minimax["discriminator_loss"][held] == pytest.approx(other["discriminator_loss"][held], rel=1e-4)
    assert minimax["generator_gradient_norm"][held][-1] < other["generator_gradient_norm"][held][-1]
    assert 0 <= finished("sine")[1]["covered"] <= 1
    assert finished("heights")[1]["jensen_shannon"] <= 0.6932


def test_a_finished_run_is_not_overwritten(finished, run):
    _, _, folder = finished("digits")
    before = (folder / "gan.keras").read_bytes()
    code, _, err = run("digits.py", "--quick", "--run-dir", str(folder), cwd=folder.parent)
    assert code == 2 and "without a backup to go on from" in err
    assert (folder / "gan.keras").read_bytes() == before


def test_a_run_that_was_cut_off_goes_on(alone, finished, run, tmp_path, without_notes):
    command = [sys.executable, str(alone("digits.py")), "--quick", "--run-dir", "run"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line.startswith("Epoch 2"):
            process.terminate()
            break
    _, err = process.communicate(timeout=300)
    assert process.returncode == 143 and "Run the same code again, with backup_dir run" in err
    assert without_notes(err).count("\n") <= 2, err
    code, out, _ = run("digits.py", "--quick", "--run-dir", "run", cwd=tmp_path)
    assert code == 0 and "--run-dir run goes on" in out and "Epoch 1/2" not in out
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert len(summary["val_frechet_distance"]) == 2
    # The classifier that judges is trained anew by the run that goes on.
    assert summary["shares"] == finished("digits")[1]["shares"]
    assert not (tmp_path / "run" / "backup").exists()


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_short_and_says_what_to_expect(name):
    text = (RECIPES / f"{name}.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 165
    for heading in ("Command:", "Minutes:", "Expected:", "Reference:"):
        assert heading in text


def test_full_folders_are_refused(run, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    code, _, err = run("digits.py", "--quick", "--run-dir", "mine", cwd=tmp_path)
    assert code == 2 and "nothing was overwritten" in err
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
    # A folder called backup makes no run.
    (tmp_path / "mine" / "backup").mkdir()
    (tmp_path / "mine" / "backup" / "thesis.txt").write_text("precious")
    assert run("digits.py", "--quick", "--run-dir", "mine", cwd=tmp_path)[0] == 2
    assert (tmp_path / "mine" / "backup" / "thesis.txt").exists()
    # Where no run goes on, each folder must be new.
    code, _, err = run("mlp_digits.py", "--quick", "--run-dir", "mine", cwd=tmp_path)
    assert code == 2 and "mine exists; nothing was overwritten" in err
    assert {p.name for p in (tmp_path / "mine").iterdir()} == {"thesis.txt", "backup"}
    assert "--run-dir" in run("digits.py", "--help", cwd=tmp_path)[1]
