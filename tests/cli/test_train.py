import io
import json
import os
import random
import re
import resource
import signal
import socket
import subprocess
import sys
import time
import types
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from PIL import Image

import keras_gan
from keras_gan import callbacks, cli, pace

TINY = ["--width", "2", "--latent-dim", "4", "--steps", "6"]
SMALL = [*TINY, "--no-export"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """48 images of 16x16, half of them in each of two classes: colors around red, and around blue."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for k in range(48):
        color = [200, 60, 60] if k % 2 else [60, 60, 200]
        image = np.clip(rng.normal(color, 30, (1, 1, 3)) + rng.normal(0, 10, (16, 16, 3)), 0, 255).astype("uint8")
        (folder / ["blue", "red"][k % 2]).mkdir(exist_ok=True)
        Image.fromarray(image).save(folder / ["blue", "red"][k % 2] / f"{k:02}.png")
    return folder


@pytest.fixture(scope="module")
def finished(folder, tmp_path_factory):
    """A finished run of few steps."""
    run = tmp_path_factory.mktemp("runs") / "run"
    assert cli.main(["train", str(folder), "--run-dir", str(run), *TINY]) == 0
    return run


def arrays(path):
    """All arrays in a .keras file."""
    found = {}
    with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
        file.visititems(lambda name, x: found.update({name: x[()]} if isinstance(x, h5py.Dataset) else {}))
    return found


def fails(capsys, *argv, code=1):
    capsys.readouterr()
    assert cli.main(["train", *map(str, argv)]) == code
    lines = capsys.readouterr().err.splitlines()
    return lines[-1]


def test_a_folder_becomes_a_gan_and_a_report(finished, folder):
    found = {p.name for p in finished.iterdir()}
    assert found >= {"options.json", "metrics.jsonl", "gan.keras", "last.keras", "walk.gif", "report.html", "samples"}
    assert "backup" not in found and (finished / "generator.tflite").stat().st_size > 1000
    gan = keras.models.load_model(finished / "gan.keras")
    assert gan.sample(2, seed=0).shape == (2, 16, 16, 3)
    assert int(keras.models.load_model(finished / "last.keras").optimizer.iterations) == 6
    options = json.loads((finished / "options.json").read_text())
    assert (options["steps"], options["command"]["source"], options["command"]["seed"]) == (6, str(folder), 0)
    # Of fewer than 160 images 16 are held out, but never more than a third.
    assert len(options["images"]["held_out"]) == 16 and options["images"]["train"] == "train[:-16]"
    with Image.open(finished / "walk.gif") as walk:
        assert walk.n_frames == 60
    [line] = callbacks.read_metrics(finished / "metrics.jsonl")
    page = (finished / "report.html").read_text()
    assert f"{line['val_kernel_distance']:.4g}" in page
    # Pictures: the grid, sixteen samples with their neighbors, the walk and the curves. Nothing lies elsewhere.
    assert page.count("<img ") == page.count('src="data:image/') == 1 + 2 * 16 + 1 + 1
    # Of pictures as text no letters are sure, but they have no colon.
    assert "://" not in page.replace("http://www.w3.org", "")


def test_a_finished_run_stays_as_it_is(finished, folder, capsys):
    before = {p: p.stat().st_mtime_ns for p in finished.rglob("*")}
    assert cli.main(["train", str(folder), "--run-dir", str(finished), *TINY]) == 0
    assert "is finished" in capsys.readouterr().out
    message = fails(capsys, folder, "--run-dir", finished, *TINY, "--seed", "3", "--r1", "0.5")
    assert "--seed was 0, is 3" in message and "--r1 was None, is 0.5" in message
    assert before == {p: p.stat().st_mtime_ns for p in finished.rglob("*")}


def test_figures_can_be_measured_again(finished, folder, capsys):
    command = ["evaluate", finished / "gan.keras", "--data", f"folder:{folder}", "--split", "train[-16:]"]
    assert cli.main([*map(str, command), "--features", "self_supervised", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    page = (finished / "report.html").read_text()
    for name in ("kernel_distance", "precision", "recall", "frechet_distance"):
        assert f">{found[name]:.4g}<" in page, name


def test_labels_another_start_and_json(folder, finished, tmp_path, capsys):
    command = ["train", str(folder), "--labels", *SMALL, "--json", "--run-dir"]
    assert cli.main([*command, str(tmp_path / "labels")]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["steps"] == 6 and result["kernel_distance"] == pytest.approx(result["kernel_distance"])
    gan = keras.models.load_model(tmp_path / "labels" / "gan.keras")
    assert gan.condition.num_classes == 2
    assert "2 classes" in (tmp_path / "labels" / "report.html").read_text()
    message = fails(
        capsys, folder, "--labels", *SMALL, "--run-dir", tmp_path / "x", "--start-from", finished / "gan.keras"
    )
    assert "start_from must have the condition Labels(num_classes=2)" in message


@pytest.mark.long
def test_start_from_goes_on_from_weights(folder, finished, tmp_path):
    start = finished / "last.keras"
    options = ["--run-dir", str(tmp_path / "run"), "--start-from", str(start), "--learning-rate", "1e-12"]
    assert cli.main(["train", str(folder), *SMALL, *options]) == 0
    then, now = keras.models.load_model(start), keras.models.load_model(tmp_path / "run" / "last.keras")
    for a, b in zip(then.generator.trainable_weights, now.generator.trainable_weights, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-6)
    assert int(now.optimizer.iterations) == 6


def test_minutes_are_fitted_and_written_before_training(folder, tmp_path, capsys):
    command = ["train", str(folder), "--width", "2", "--latent-dim", "4", "--no-export", "--minutes", "0.5"]
    begin = time.monotonic()
    assert cli.main([*command, "--run-dir", str(tmp_path / "run")]) == 0
    seconds = time.monotonic() - begin
    options = json.loads((tmp_path / "run" / "options.json").read_text())
    assert options["steps"] % options["epochs"] == 0
    gan = keras.models.load_model(tmp_path / "run" / "last.keras")
    assert int(gan.optimizer.iterations) == options["steps"]
    out = capsys.readouterr().out
    assert "everything else\ntake about" in out and f"epoch {options['epochs']}/{options['epochs']}" in out
    # In a process that has long begun nothing is left but one step: here only that it ends counts.
    assert seconds < 300


def test_a_dry_run_writes_nothing(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["train", str(folder), "--dry-run", "--width", "2"]) == 0
    out = capsys.readouterr().out
    assert "48 images, 16x16" in out and "Only headers were read, and nothing was written" in out and "minutes" in out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("labels", [[], ["--labels"]])
def test_a_dry_run_counts_evaluations_and_features(labels, folder, capsys, monkeypatch):
    measured = []

    def measure(gan, train, validation_data, following, seconds):
        measured.append((gan, validation_data, following))
        # Evaluations take a minute each here, and steps a second.
        return pace.Pace(start=0.0, step=1.0, epoch_end=60.0)

    monkeypatch.setattr(pace, "measure", measure)
    monkeypatch.setattr(keras_gan.metrics.features, "steps_within", lambda seconds, shape: int(seconds / 2))
    assert cli.main(["train", str(folder), "--dry-run", "--width", "2", "--steps", "100", *labels]) == 0
    # 100 steps in two epochs, and 25 of the features, of two seconds each.
    assert f"take about {(100 + 2 * 60 + 25 * 2) / 60:.3g} minutes" in capsys.readouterr().out
    [(gan, held_out, following)] = measured
    parts = [keras.tree.flatten(batch)[0] for batch in held_out]
    assert sum(len(part) for part in parts) == 16 and parts[0].shape[1:] == (16, 16, 3)
    kinds = [type(metric).__name__ for metric in gan.evaluation_metrics]
    assert kinds == ["KernelDistance", "PrecisionRecall", "FrechetDistance", "Memorization"]
    assert any(isinstance(callback, keras.callbacks.ModelCheckpoint) for callback in following)
    assert np.isfinite(gan.evaluate(held_out, verbose=0, return_dict=True)["memorization"])


@pytest.mark.parametrize(("steps", "is_said"), [(6, True), (7, False)])
def test_too_little_time_is_said(steps, is_said):
    chosen = keras_gan.settings.for_images((8, 8, 3), 100).replace(steps=steps)
    assert ("less than one pass" in cli.training._expected(chosen, pace.Pace(0.0, 1.0, 0.0), rest=0, gone=0)) == is_said


@pytest.mark.parametrize(
    ("data", "images_of"),
    [
        (["{a}"], lambda images: images),
        (["{a}", "--degrade", "2"], lambda pair: pair[1]),
        (["--pairs", "{a}", "{b}"], lambda pair: pair[0]),
        (["--unpaired", "{a}", "{b}"], lambda pair: pair[1]),
    ],
)
@pytest.mark.parametrize("crop", [0, 4])
def test_crop_takes_windows_of_larger_images(data, images_of, crop, tmp_path, monkeypatch):
    slope = np.broadcast_to(np.arange(16, dtype="uint8")[:, None, None] * 12, (16, 16, 3))
    for k, name in enumerate([f"{k:02}.png" for k in range(40)]):
        for folder, image in ((tmp_path / "a", slope), (tmp_path / "b", slope + 40)):
            folder.mkdir(exist_ok=True)
            # The last column makes each image another one.
            Image.fromarray(np.concatenate([image[:, :15], np.full((16, 1, 3), k, "uint8")], 1)).save(folder / name)
    found = []

    def plan(training):
        found.append(training.train)
        raise ValueError("enough")

    monkeypatch.setattr(cli.training.Training, "plan", plan)
    data = [part.format(a=tmp_path / "a", b=tmp_path / "b") for part in data]
    options = ["--width", "2", "--steps", "1", "--no-export", "--no-flip", "--crop", str(crop)]
    assert cli.main(["train", *data, *options, "--run-dir", str(tmp_path / "run")]) == 1
    images = np.concatenate([np.asarray(images_of(batch)) for batch in found[0].repeat(2)])
    assert images.shape[1:] == (16, 16, 3)
    # Windows begin at one of five rows, and each shows 16 of 20 rows.
    tops = np.unique(images[:, 0, 4, 0].round(3))
    assert len(tops) == crop + 1
    height = images[:, -1, 4, 0] - images[:, 0, 4, 0]
    assert abs(height.mean() - 15 * 12 / 127.5 * 16 / (16 + crop)) < 0.05


def test_images_are_read_once_for_memorization(images):
    class Plain:
        passes = 0

        def __iter__(self):
            self.passes += 1
            return iter([images[:24], images[24:32]])

    task = object.__new__(cli.generating.Generation)
    task.source, task._known = types.SimpleNamespace(plain=Plain()), None
    found = [next(m for m in task.metrics(None) if m.name == "memorization") for _ in range(2)]
    assert task.source.plain.passes == 1 and found[0] is not found[1]
    found.append(keras_gan.metrics.Memorization(None, images[:32]))
    for metric in found:
        metric.update_state(images[32:40], images[28:36])
    # Half of what is compared are copies.
    assert [metric.result() for metric in found] == [found[2].result()] * 3 and 0.5 <= found[2].result() <= 1


def test_a_dry_run_names_what_the_run_would_refuse(folder, tmp_path, measured, capsys):
    for path in folder.rglob("*.png"):
        (tmp_path / "images" / path.name).parent.mkdir(exist_ok=True)
        (tmp_path / "images" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "images" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n no more")
    dry = ["train", str(tmp_path / "images"), "--dry-run", "--width", "2"]
    assert cli.main(dry) == 1
    captured = capsys.readouterr()
    assert "take about" in captured.out
    assert "broken.png" in captured.out and "1 images can't be read" in captured.err
    assert cli.main([*dry, "--skip-bad-images"]) == 0
    message = fails(capsys, tmp_path / "images", *SMALL, "--run-dir", tmp_path / "run")
    assert "broken.png" in message and "--skip-bad-images" in message and not (tmp_path / "run").exists()


def test_bad_input(folder, tmp_path, capsys):
    def images(name, n, color=None, size=(16, 16)):
        (tmp_path / name).mkdir()
        for k in range(n):
            pixels = np.full((*size, 3), 7 * k if color is None else color, "uint8")
            Image.fromarray(pixels).save(tmp_path / name / f"{k}.png")
        return tmp_path / name

    run = ["--run-dir", tmp_path / "run"]
    message = fails(capsys, tmp_path / "none", *SMALL, *run)
    assert "name must be a known dataset" in message and "none'. There is no folder of that name." in message
    assert "must hold images" in fails(capsys, images("empty", 0), *SMALL, *run)
    for n in (1, 23):
        message = fails(capsys, images(f"only{n}", n), *SMALL, *run)
        assert "must have at least 24 images that can be read" in message and f", with {n}." in message
    assert "are the same" in fails(capsys, images("same", 30, color=9), *SMALL, *run)
    single = images("single", 30) / "few"
    single.mkdir()
    message = fails(capsys, tmp_path / "single", "--labels", *SMALL, *run)
    assert "with --labels, every image must be in a subfolder" in message and "leave --labels out" in message
    for path in sorted((tmp_path / "single").glob("*.png")):
        target = single if path.name == "3.png" else tmp_path / "single" / "many"
        target.mkdir(exist_ok=True)
        path.rename(target / path.name)
    assert "few with fewer" in fails(capsys, tmp_path / "single", "--labels", *SMALL, *run)
    for size, near in ((50, 48), (33, 32), (30, 32), (4, 8), (1, 8)):
        message = fails(capsys, folder, "--image-size", size, *SMALL, *run)
        assert f"--image-size must be divisible by 4, and at least 8. Received: {size}. Give {near}." in message
    message = fails(capsys, folder, "--image-size", 10**6, *SMALL, *run)
    assert "--image-size and --batch-size must be smaller: batches need more than 576,000,000,000,000 bytes" in message
    message = fails(capsys, tmp_path / "same" / "0.png", *SMALL, *run)
    assert "name must be a known dataset" in message and "0.png'. There is no folder of that name." in message
    message = fails(capsys, folder, *SMALL, "--run-dir", tmp_path / "same" / "0.png" / "run")
    assert "--run-dir must be in a folder that you may write to" in message and "0.png." in message
    message = fails(capsys, folder, *SMALL, *run, "--start-from", tmp_path / "none.keras")
    assert "filepath must be a .keras file" in message and "none.keras" in message
    assert not (tmp_path / "run").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    message = fails(capsys, folder, *SMALL, "--run-dir", tmp_path / "full")
    assert "holds something else; nothing was overwritten" in message
    usage = [["--minutes", minutes] for minutes in ("0", "nan", "inf", "-1", "soon", "1e6")]
    usage += [["--steps", "0"], ["--minutes", "3", "--steps", "3"], ["--channels", "2"], ["--depth", "3"]]
    for wrong in usage:
        assert cli.main(["train", str(folder), *map(str, run), *wrong]) == 2
    for option, value, said in (
        ("architecture", "vae", "architecture must be one of"),
        ("loss", "huber", "huber"),
        ("r1", -1, "r1 must be"),
        ("ema", 1, "ema must be"),
        ("learning-rate", "nan", "learning_rate must be"),
        ("seed", -1, "seed must be"),
    ):
        assert said in fails(capsys, folder, *SMALL, *run, f"--{option}={value}")
    assert not (tmp_path / "run").exists()


@pytest.mark.long  # TensorFlow waits ten seconds for memory.
def test_numbers_beyond_any_machine_are_told_in_a_line(folder, tmp_path, capsys):
    message = fails(capsys, folder, *SMALL, "--run-dir", tmp_path / "run", "--latent-dim", "9" * 15)
    assert message.startswith("keras-gan train: ") and len(message) < 500 and not (tmp_path / "run").exists()


def test_a_folder_that_one_may_not_write_to_is_refused_before_work(folder, tmp_path, capsys, monkeypatch):
    # Root may write anywhere.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    message = fails(capsys, folder, *SMALL, "--run-dir", tmp_path / "a" / "run")
    assert message.endswith(f"a/run, in {tmp_path}.") and not (tmp_path / "a").exists()


def test_what_another_worker_has_begun_to_write_is_no_other_run(tmp_path):
    (tmp_path / ".part.options.json").touch()
    assert not cli.run_folder.RunFolder(tmp_path, {}).is_finished


def test_small_images_are_enlarged_and_said_so(tmp_path, measured, capsys):
    for k in range(24):
        Image.fromarray(np.random.default_rng(k).integers(0, 256, (2, 3, 3), "uint8")).save(tmp_path / f"{k}.png")
    assert cli.main(["train", str(tmp_path), "--dry-run", "--width", "2", "--image-size", "16"]) == 0
    assert f"Some images of {tmp_path.name} are smaller, down to 3x2: they are enlarged." in capsys.readouterr().out


def test_another_folder_is_not_gone_on_with(folder, tmp_path, capsys):
    run = tmp_path / "run"
    run.mkdir()
    command = {"source": str(folder), "seed": 0, "width": 2, "latent_dim": 4, "steps": 6, "no_export": True}
    command |= {"labels": False, "skip_bad_images": False, "strategy": "none", "precision": "float32"}
    (run / "options.json").write_text(json.dumps({"command": command, "images": {"total": 3}}))
    message = fails(capsys, folder, *SMALL, "--run-dir", run)
    assert "images must be the same as when the run" in message


COMMAND = [sys.executable, "-m", "keras_gan_cli", "train"]


def start(run, home, *options, **env):
    command = [*COMMAND, "--run-dir", run, "--no-export", "--width", "2", *options]
    env = {**os.environ, "KERAS_HOME": str(home), **env}
    return subprocess.Popen([*map(str, command)], env=env, stdout=subprocess.DEVNULL)


def train_in_a_process(folder, run, home, *options, **env):
    return start(run, home, folder, "--latent-dim", "4", *options, **env)


def wait_for_a_backup(process, run):
    while process.poll() is None and not any((run / "backup").glob("epoch_*")):
        time.sleep(0.1)


# What each kind of run takes beside its steps, of one folder, whose images' halves are pairs, too.
KINDS = {
    "images": lambda folder: [folder, "--latent-dim", "4"],
    "pairs": lambda folder: ["--pairs", folder, "--image-size", "16"],
    "unpaired": lambda folder: ["--unpaired", folder / "blue", folder / "red"],
    "degrade": lambda folder: [folder, "--degrade", "2"],
}


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("images", signal.SIGKILL),
        pytest.param("images", signal.SIGTERM, marks=pytest.mark.long),
        *(pytest.param(kind, signal.SIGKILL, marks=pytest.mark.long) for kind in ("pairs", "unpaired", "degrade")),
    ],
)
def test_a_run_that_was_cut_off_ends_as_an_unbroken_one(folder, tmp_path, rounds, kind, number):
    options = [*KINDS[kind](folder), "--steps", "150"]
    # The short test cuts where training has begun, the long one of images anywhere.
    anywhere = kind == "images" and rounds(False, True)
    if anywhere:
        # This run also learns the features, which are kept; the next one tells how long the others take.
        assert start(tmp_path / "first", tmp_path / "home", *options).wait() == 0
    begin = time.monotonic()
    assert start(tmp_path / "whole", tmp_path / "home", *options).wait() == 0
    seconds, expected = time.monotonic() - begin, arrays(tmp_path / "whole" / "last.keras")
    # What generators made in former steps, and discriminators see again.
    assert any("image_pool" in name for name in expected) == (kind == "unpaired")
    for k in range(10 if anywhere else 1):
        run, rng = tmp_path / f"cut{k}", random.Random(k)
        cut = start(run, tmp_path / "home", *options)
        if anywhere:
            time.sleep(rng.uniform(0.1, 0.8) * seconds)
        else:
            wait_for_a_backup(cut, run)
        cut.send_signal(number)
        # The signal may come while Python imports, before the command handles it.
        assert cut.wait() in (-number, 143)
        assert not (run / "report.html").exists()
        assert start(run, tmp_path / "home", *options).wait() == 0
        found = arrays(run / "last.keras")
        assert found.keys() == expected.keys()
        for name in expected:
            np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """200 images of 16x16."""
    folder = tmp_path_factory.mktemp("many")
    for k in range(200):
        pixels = np.random.default_rng(k).integers(0, 256, (4, 4, 3), "uint8").repeat(4, 0).repeat(4, 1)
        Image.fromarray(pixels).save(folder / f"{k:03}.png")
    return folder


WRITTEN = {"options.json", "metrics.jsonl", "gan.keras", "last.keras", "walk.gif", "report.html", "samples", "train"}


@pytest.mark.long
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_train_and_go_on(backend, many, tmp_path):
    pytest.importorskip(backend)
    env = {"KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu", "OMP_NUM_THREADS": "2"}
    run, options = tmp_path / "run", ["--steps", "200"]
    cut = train_in_a_process(many, run, tmp_path / "home", *options, **env)
    wait_for_a_backup(cut, run)
    cut.kill()
    assert cut.wait() == -signal.SIGKILL and not (run / "report.html").exists()
    assert train_in_a_process(many, run, tmp_path / "home", *options, **env).wait() == 0
    whole = tmp_path / "whole"
    assert train_in_a_process(many, whole, tmp_path / "home", *options, **env).wait() == 0
    found, expected = (arrays(path / "last.keras") for path in (run, whole))
    assert found.keys() == expected.keys() and {p.name for p in run.iterdir()} >= WRITTEN
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
    assert [line["epoch"] for line in callbacks.read_metrics(run / "metrics.jsonl")] == [0, 1, 2, 3]


@pytest.mark.long
def test_two_devices_train_one_generator(many, tmp_path):
    code = (
        "import sys, tensorflow as tf; cpu = tf.config.list_physical_devices('CPU')[0]; "
        "tf.config.set_logical_device_configuration(cpu, 2 * [tf.config.LogicalDeviceConfiguration()]); "
        "from keras_gan import cli; sys.exit(cli.main(['train', *sys.argv[1:]]))"
    )
    run = tmp_path / "run"
    for length in (["--steps", "20"], ["--minutes", "0.3"]):
        options = [str(many), "--run-dir", str(run), *TINY[:4], *length, "--strategy", "mirrored"]
        done = subprocess.run([sys.executable, "-c", code, *options], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        assert {p.name for p in run.iterdir()} >= {*WRITTEN, "generator.tflite"}
        steps = json.loads((run / "options.json").read_text())["steps"]
        assert int(keras.models.load_model(run / "last.keras").optimizer.iterations) == steps
        run = tmp_path / "timed"


@pytest.mark.long
def test_two_workers_train_one_generator(many, tmp_path):
    def train(run, steps):
        with socket.socket() as first, socket.socket() as second:
            for s in (first, second):
                s.bind(("localhost", 0))
            addresses = [f"localhost:{s.getsockname()[1]}" for s in (first, second)]
        tasks = [{"cluster": {"worker": addresses}, "task": {"type": "worker", "index": i}} for i in range(2)]
        options = ["--steps", steps, "--strategy", "multiworker"]
        return [
            train_in_a_process(many, run, tmp_path / f"home{i}", *options, TF_CONFIG=json.dumps(task))
            for i, task in enumerate(tasks)
        ]

    assert [worker.wait() for worker in train(tmp_path / "run", "20")] == [0, 0]
    assert {p.name for p in (tmp_path / "run").iterdir()} >= WRITTEN
    assert int(keras.models.load_model(tmp_path / "run" / "last.keras").optimizer.iterations) == 20
    cut = train(tmp_path / "cut", "200")
    wait_for_a_backup(cut[0], tmp_path / "cut")
    for worker in cut:
        worker.kill()
        worker.wait()
    assert [worker.wait() for worker in train(tmp_path / "cut", "200")] == [0, 0]
    assert int(keras.models.load_model(tmp_path / "cut" / "last.keras").optimizer.iterations) == 200


@pytest.mark.long
def test_a_full_disk_ends_in_a_line_and_the_command_goes_on(folder, tmp_path):
    """A limit on the size of files stands for the disk."""

    def train(run, limit=resource.RLIM_INFINITY, *options):
        options = ["--run-dir", run, *TINY, "--steps", "100", *options]
        return subprocess.run(
            [*COMMAND, str(folder), *map(str, options)],
            env={**os.environ, "KERAS_HOME": str(tmp_path / "home")},
            capture_output=True,
            text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY)),
        )

    whole, run, stopped = tmp_path / "whole", tmp_path / "run", []
    # The images decoded, samples, the GAN, a walk and the report.
    for limit, *options in ((2000, "--cache", tmp_path / "cache"), (11_000,), (100_000,), (1_000_000,), (1_300_000,)):
        done = train(run, limit, *options)
        said = done.stderr.splitlines()[-1]
        assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr[-3000:]
        assert said.startswith("keras-gan train: ") and "Make room" in said, said
        assert said.endswith("To resume, give the same command with the same --run-dir."), said
        assert not (run / "report.html").exists() and not list(run.rglob(".part.*"))
        stopped.append(Path(re.search(r"(\S+) was not written", said)[1]).name)
    assert stopped[1:] == ["epoch_0001.png", "gan.keras", "walk.gif", "report.html"] and not any(
        tmp_path.glob("cache/*")
    )
    assert [train(path).returncode for path in (run, whole)] == [0, 0]
    found, expected = (arrays(path / "last.keras") for path in (run, whole))
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
    assert [line["epoch"] for line in callbacks.read_metrics(run / "metrics.jsonl")] == [0, 1]


@pytest.mark.long
def test_the_demo_draws_all_digits(tmp_path):
    begin = time.monotonic()
    assert cli.main(["train", "digits", "--minutes", "6", "--run-dir", str(tmp_path / "run")]) == 0
    assert 60 * 6 * 0.75 < time.monotonic() - begin < 60 * 6 * 1.25
    gan = keras.models.load_model(tmp_path / "run" / "gan.keras")
    classifier = keras_gan.metrics.features.classifier("digits")
    found = classifier.predict(gan.sample(1000, seed=0), verbose=0)["probabilities"]
    shares = np.bincount(found.argmax(1), minlength=10) / 1000
    assert shares.min() >= 0.04 and shares.max() <= 0.2
    assert 0.85 <= found.max(1).mean() <= 0.99
