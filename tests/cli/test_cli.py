import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import keras_gan
from keras_gan import cli, saving
from keras_gan.datasets import memory


@pytest.fixture
def saved(make_image_gan, tmp_path):
    make_image_gan().save(tmp_path / "gan.keras")
    return tmp_path / "gan.keras"


def fails(capfd, *argv):
    """The one line on stderr of a command that fails."""
    assert cli.main([str(a) for a in argv]) == 1
    out, err = capfd.readouterr()
    assert out == "" and err.count("\n") == 1, (out, err)
    return err


def test_export(saved, tmp_path, capfd):
    assert cli.main(["export", str(saved), str(tmp_path / "g.tflite"), "--json"]) == 0
    report = json.loads(capfd.readouterr().out)
    assert report["bytes"] == (tmp_path / "g.tflite").stat().st_size


def test_export_options(saved, tmp_path, capfd):
    path = tmp_path / "g.tflite"
    options = ["--quantize", "dynamic", "--batch-sizes", "1", "2", "--sample", "--output", "uint8"]
    assert (
        cli.main(["export", str(saved), str(path), *options, "--card", "license=CC0", "--card", "data=a=b", "--json"])
        == 0
    )
    report = json.loads(capfd.readouterr().out)
    assert report["quantize"] == "dynamic" and report["card"]["license"] == "CC0" and report["card"]["data"] == "a=b"
    assert set(report["signatures"]) == {"generate", "generate_2", "sample", "sample_2"}
    assert report["card"]["range"] == "bytes, 0 to 255"
    assert cli.main(["benchmark", str(path), "--seconds", "0.01", "--threads", "1"]) == 0
    out, err = capfd.readouterr()
    assert "1 thread" in out and "2 threads" not in out and "CAST" in out and err == ""


def test_benchmark_of_what_is_no_generator(saved, tmp_path, capfd):
    assert "must be a .tflite file" in fails(capfd, "benchmark", saved)
    assert "does not exist" in fails(capfd, "benchmark", tmp_path / "none.tflite")


def test_export_of_a_generator_alone(make_image_gan, tmp_path, capfd):
    make_image_gan().generator.save(tmp_path / "generator.keras")
    assert cli.main(["export", str(tmp_path / "generator.keras"), str(tmp_path / "g.tflite")]) == 0
    assert "checked" in capfd.readouterr().out


def test_files_that_are_no_gan(tmp_path, capfd):
    assert "must be a .keras file" in fails(capfd, "export", tmp_path / "none.keras", tmp_path / "g.tflite")
    (tmp_path / "broken.keras").write_bytes(b"PK\x03\x04 and no more")
    assert "must be a .keras file" in fails(capfd, "export", tmp_path / "broken.keras", tmp_path / "g.tflite")
    assert os.listdir(tmp_path) == ["broken.keras"]


def test_usage(capfd):
    assert cli.main([]) == 2
    assert cli.main(["paint"]) == 2
    assert cli.main(["export", "gan.keras"]) == 2
    assert "usage: keras-gan" in capfd.readouterr().err
    for wrong in (["--quantize", "int4"], ["--card", "license"], ["--batch-sizes", "many"]):
        assert cli.main(["export", "gan.keras", "g.tflite", *wrong]) == 2
    for wrong in ("0", "1.5", "few"):
        assert cli.main(["benchmark", "g.tflite", "--threads", wrong]) == 2
        assert f"must be a positive integer, received {wrong}" in capfd.readouterr().err
    assert cli.main(["--help"]) == 0
    assert "export" in capfd.readouterr().out


def test_the_command_says_nothing_but_its_result():
    command = [sys.executable, "-m", "keras_gan_cli", "export", "none.keras", "g.tflite"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("keras-gan export: filepath must be") and done.stderr.count("\n") == 1


def stopped(command, folder, signals):
    """Starts a command, sends it a signal once it writes, and returns its exit code and its last words."""
    # What a shell starts in the background ignores SIGINT, and so would what it starts.
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 120
    while not list(folder.glob(".part.*")) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signals)
    _, err = process.communicate(timeout=120)
    return process.returncode, err


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)])
def test_a_signal_leaves_nothing_half_written(number, saved, tmp_path):
    command = [sys.executable, "-m", "keras_gan_cli", "export", str(saved), "g.tflite", "--batch-sizes", "1", "2", "4"]
    code, err = stopped(command, tmp_path, number)
    assert code == 128 + number and err == "keras-gan export: stopped; no file was left half written.\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["gan.keras"]


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [("| head -c 0", 0, ""), (">/dev/full", 1, "No space left on device")],
    ids=["pipe", "full"],
)
def test_where_a_result_can_not_be_printed(end, code, said, saved, tmp_path):
    script = f"set -o pipefail; {sys.executable} -m keras_gan_cli sample gan.keras --out ü.png {end}"
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == code and said in done.stderr and done.stderr.count("\n") == bool(said)
    assert (tmp_path / "ü.png").exists()


# === sample ===


def test_sample_draws_a_picture(saved, tmp_path, capfd):
    out = tmp_path / "grid.png"
    assert cli.main(["sample", str(saved), "--count", "6", "--columns", "3", "--seed", "5", "--out", str(out)]) == 0
    assert "6 samples of 8x8x1, seed 5" in capfd.readouterr().out
    expected = keras_gan.images.grid(keras.models.load_model(saved).sample(6, seed=5), 3)[:, :, 0]
    np.testing.assert_array_equal(np.asarray(Image.open(out)), expected)
    before = out.read_bytes()
    assert "exists already. Give another name" in fails(capfd, "sample", saved, "--out", out)
    assert out.read_bytes() == before
    assert "folder that exists" in fails(capfd, "sample", saved, "--out", tmp_path / "none" / "grid.png")


def test_sample_writes_any_data_as_an_array(make_gan, tmp_path, capfd):
    make_gan().save(tmp_path / "points.keras")
    out = tmp_path / "points.npy"
    assert cli.main(["sample", str(tmp_path / "points.keras"), "--count", "5", "--out", str(out), "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["shape"] == [5, 2]
    assert np.load(out).shape == (5, 2)
    assert cli.main(["sample", str(tmp_path / "points.keras"), "--count", "5", "--out", str(tmp_path / "x.NPY")]) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "x.NPY"), np.load(out))
    capfd.readouterr()
    assert "--out must end in .npy" in fails(capfd, "sample", tmp_path / "points.keras", "--out", tmp_path / "p.png")
    assert sorted(os.listdir(tmp_path)) == ["points.keras", "points.npy", "x.NPY"]


@pytest.mark.parametrize("out", ["o", "o.xyz", ".png"])
def test_sample_looks_at_the_suffix_before_work(out, tmp_path, capfd):
    said = fails(capfd, "sample", tmp_path / "none.keras", "--out", tmp_path / out)
    assert "must end in one of .bmp," in said and f".webp. Received: {tmp_path / out}." in said


def test_sample_shows_the_whole_range_of_a_sigmoid(make_sigmoid_gan, tmp_path):
    make_sigmoid_gan().save(tmp_path / "gan.keras")
    assert cli.main(["sample", str(tmp_path / "gan.keras"), "--count", "1", "--out", str(tmp_path / "x.png")]) == 0
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "x.png")), [[0, 128], [128, 255]])
    assert cli.main(["sample", str(tmp_path / "gan.keras"), "--count", "1", "--out", str(tmp_path / "x.npy")]) == 0
    np.testing.assert_allclose(np.load(tmp_path / "x.npy").ravel(), [0, 0.5, 0.5, 1], atol=1e-6)


@pytest.mark.parametrize("error", [MemoryError(), tf.errors.ResourceExhaustedError(None, None, "No\nmemory. " * 99)])
def test_more_than_fits_into_memory_is_told_in_a_line(error, saved, tmp_path, capfd, monkeypatch):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(keras_gan.GAN, "sample", fail)
    said = fails(capfd, "sample", saved, "--out", tmp_path / "x.png")
    assert said.startswith("keras-gan sample: the computation failed. If memory ran out, end") and len(said) < 400
    assert os.listdir(tmp_path) == ["gan.keras"]


def test_sample_of_a_class(saved, make_image_gan, tmp_path, capfd):
    labels = keras_gan.conditions.Labels(3)
    gan = keras_gan.GAN(
        keras_gan.architectures.dcgan_generator((8, 8, 1), latent_dim=4, width=4, condition=labels),
        keras_gan.architectures.dcgan_discriminator((8, 8, 1), width=4, condition=labels),
        ema=None,
    )
    gan.save(tmp_path / "labels.keras")
    out = tmp_path / "ones.npy"
    assert cli.main(["sample", str(tmp_path / "labels.keras"), "--count", "2", "--label", "1", "--out", str(out)]) == 0
    np.testing.assert_allclose(np.load(out), gan.sample(2, seed=0, labels=[1, 1]), atol=1e-5)
    capfd.readouterr()
    for label in ("3", "-1", "9" * 20):
        said = fails(capfd, "sample", tmp_path / "labels.keras", f"--label={label}", "--out", "x.png")
        assert "--label must be an integer from 0 to 2" in said
    assert "no condition on labels" in fails(capfd, "sample", saved, "--label", "1", "--out", "x.png")


# === evaluate ===


@pytest.fixture
def folder(tmp_path):
    """24 pictures in the folders of two classes."""
    for i in range(24):
        path = tmp_path / "pictures" / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(i).integers(0, 128 + 127 * (i % 2), (9, 9, 3)).astype("uint8")).save(path)
    return f"folder:{tmp_path / 'pictures'}"


def test_evaluate_prints_a_table(make_image_gan, folder, tmp_path, capfd):
    make_image_gan(channels=3).save(tmp_path / "gan.keras")
    command = ["evaluate", str(tmp_path / "gan.keras"), "--data", folder, "--batch-size", "10"]
    assert cli.main(command) == 0
    out = capfd.readouterr().out
    assert out.startswith("24 samples of") and "frechet_distance" in out and "classifier_score" in out
    assert max(map(len, out.splitlines()[2:])) < 80
    assert cli.main([*command, "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["count"] == 24 and found["frechet_distance"] > 0 and 0 <= found["recall"] <= 1
    assert 1 <= found["classifier_score"] <= 2
    assert cli.main([*command, "--features", "none"]) == 0
    assert "classifier_score" not in capfd.readouterr().out


def test_evaluate_without_classes_takes_features_without_labels(make_image_gan, folder, tmp_path, capfd, monkeypatch):
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in (tmp_path / "pictures").rglob("*.png"):
        path.rename(flat / path.name)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    module, trained = sys.modules["keras_gan.metrics.features.self_supervised"], []

    def train(images, shape, steps):
        trained.append(len(images))
        model = module._build(shape)[0]
        model.set_weights([len(images) / 24 * weight for weight in model.get_weights()])
        return model

    monkeypatch.setattr(module, "_train", train)
    gan = make_image_gan(channels=3)
    command = ["evaluate", str(tmp_path / "gan.keras"), "--data", f"folder:{flat}", "--batch-size", "10", "--json"]

    def evaluate():
        gan.save(tmp_path / "gan.keras")
        assert cli.main(command) == 0
        return json.loads(capfd.readouterr().out)

    found = evaluate()
    assert found["features"] == "self_supervised" and trained == [24] and "classifier_score" not in found
    assert found["frechet_distance"] > 0 and found["kernel_distance_error"] > 0
    # Features that the file brings give the figures that `fit` gave.
    data = keras_gan.datasets.load(f"folder:{flat}", 10, image_size=8, seed=0)
    carried = keras_gan.metrics.features.self_supervised(data.take(2))
    gan.compile(
        metrics=[keras_gan.metrics.KernelDistance(carried), keras_gan.metrics.FrechetDistance(carried)], penalties=()
    )
    expected = gan.evaluate(data, verbose=0, return_dict=True)
    again = evaluate()
    assert trained == [24, 20] and again["frechet_distance"] != pytest.approx(found["frechet_distance"], rel=1e-3)
    for name in ("frechet_distance", "kernel_distance"):
        assert again[name] == pytest.approx(expected[name], rel=1e-3)
    # What is not loaded from files of strangers is passed over.
    gan.compile(metrics=[keras_gan.metrics.FrechetDistance(keras.layers.Lambda(lambda x: x))], penalties=())
    assert evaluate()["frechet_distance"] == pytest.approx(found["frechet_distance"], rel=1e-3)


def test_evaluate_of_a_gan_with_labels(folder, tmp_path, capfd):
    labels = keras_gan.conditions.Labels(2)
    keras_gan.GAN(
        keras_gan.architectures.dcgan_generator((8, 8, 3), latent_dim=4, width=4, condition=labels),
        keras_gan.architectures.dcgan_discriminator((8, 8, 3), width=4, condition=labels),
        ema=None,
    ).save(tmp_path / "gan.keras")
    command = ["evaluate", str(tmp_path / "gan.keras"), "--data", folder, "--batch-size", "10", "--features", "none"]
    found = []
    for _ in range(2):
        assert cli.main([*command, "--json"]) == 0
        found.append(json.loads(capfd.readouterr().out))
    assert found[0]["count"] == 24 and found[0]["frechet_distance"] > 0
    # The labels meet the same latents each time.
    assert found[1]["frechet_distance"] == pytest.approx(found[0]["frechet_distance"], rel=1e-5)
    assert found[1]["density"] == found[0]["density"]


def test_evaluate_of_a_generator_that_ends_in_a_sigmoid(folder, tmp_path, capfd):
    found = []
    for activation, scale in (("tanh", 1), ("sigmoid", 2)):
        dense = keras.layers.Dense(192, activation)
        generator = keras.Sequential([keras.Input((4,)), dense, keras.layers.Reshape((8, 8, 3))])
        dense.set_weights([np.random.default_rng(0).normal(size=(4, 192)) * scale, np.zeros(192)])
        gan = keras_gan.GAN(generator, keras_gan.architectures.dcgan_discriminator((8, 8, 3), width=4), ema=None)
        gan.save(tmp_path / f"{activation}.keras")
        command = ["evaluate", str(tmp_path / f"{activation}.keras"), "--data", folder, "--batch-size", "10", "--json"]
        assert cli.main(command) == 0
        found.append(json.loads(capfd.readouterr().out))
    signed, unsigned = found
    assert unsigned["classifier_score"] == pytest.approx(signed["classifier_score"], rel=1e-3)
    assert unsigned["frechet_distance"] == pytest.approx(signed["frechet_distance"], rel=1e-2)
    assert unsigned["precision"] == signed["precision"]


def test_what_makes_nan_is_not_drawn(make_image_gan, tmp_path, capfd):
    gan = make_image_gan()
    gan.generator.set_weights([w * np.nan for w in gan.generator.get_weights()])
    gan.save(tmp_path / "nan.keras")
    assert "gan must make finite values" in fails(capfd, "sample", tmp_path / "nan.keras", "--out", tmp_path / "x.png")
    assert not (tmp_path / "x.png").exists()


def test_evaluate_looks_at_the_channels_first(make_image_gan, tmp_path, capfd):
    make_image_gan(channels=3).save(tmp_path / "gan.keras")
    said = fails(capfd, "evaluate", tmp_path / "gan.keras", "--data", "digits")
    assert "--data must be images of (8, 8, 3)" in said and "Received: (8, 8, 1)" in said


def test_evaluate_of_too_few_pictures(make_image_gan, tmp_path, capfd):
    make_image_gan(channels=3).save(tmp_path / "gan.keras")
    (tmp_path / "few").mkdir()
    for i in range(2):
        Image.new("RGB", (8, 8), (100 * i, 0, 0)).save(tmp_path / "few" / f"{i}.png")
    command = ["--data", str(tmp_path / "few"), "--features", "none", "--batch-size", "1"]
    assert "needs at least" in fails(capfd, "evaluate", tmp_path / "gan.keras", *command)


def test_evaluate_of_codes_that_compare_views(folder, tmp_path, capfd):
    codes = keras_gan.conditions.Codes([2], consistency_weight=1.0)
    keras_gan.GAN(
        keras_gan.architectures.dcgan_generator((8, 8, 3), latent_dim=4 + 2, width=4),
        keras_gan.architectures.dcgan_discriminator((8, 8, 3), width=4, condition=codes),
        ema=None,
    ).save(tmp_path / "gan.keras")
    command = ["evaluate", str(tmp_path / "gan.keras"), "--data", folder, "--features", "none", "--json"]
    assert cli.main(command) == 0
    assert json.loads(capfd.readouterr().out)["frechet_distance"] > 0


def test_a_vector_is_for_python(folder, tmp_path, capfd):
    vector = keras_gan.conditions.Vector(2)
    keras_gan.GAN(
        keras_gan.architectures.dcgan_generator((8, 8, 3), latent_dim=4, width=4, condition=vector),
        keras_gan.architectures.dcgan_discriminator((8, 8, 3), width=4, condition=vector),
        ema=None,
    ).save(tmp_path / "gan.keras")
    said = fails(capfd, "sample", tmp_path / "gan.keras", "--out", tmp_path / "x.png")
    assert "with Vector(n=2). Load it in Python" in said and "call sample(n, given=...)" in said
    said = fails(capfd, "evaluate", tmp_path / "gan.keras", "--data", folder)
    assert "gan must have a condition on labels, or none" in said
    assert not (tmp_path / "x.png").exists()


def test_evaluate_leaves_out_what_takes_fewer_pixels(make_image_gan, folder, tmp_path, capfd, monkeypatch):
    make_image_gan(channels=3).save(tmp_path / "gan.keras")
    monkeypatch.setattr(cli.evaluate, "LARGEST", 191)
    command = ["evaluate", str(tmp_path / "gan.keras"), "--data", folder, "--features", "none", "--json"]
    assert cli.main(command) == 0
    out, err = capfd.readouterr()
    assert "frechet_distance" not in json.loads(out) and json.loads(out)["sliced_wasserstein"] > 0
    assert "frechet_distance is left out: it takes up to 191 values per image, and these have 192.\n" in err


def test_evaluate_makes_room_for_as_many_as_there_are(make_image_gan, folder, tmp_path, monkeypatch):
    room = []

    def evaluate(self, *args, evaluate=keras_gan.GAN.evaluate, **kwargs):
        room.extend(getattr(metric, "max_examples", None) for metric in self.evaluation_metrics)
        return evaluate(self, *args, **kwargs)

    monkeypatch.setattr(keras_gan.GAN, "evaluate", evaluate)
    make_image_gan(channels=3).save(tmp_path / "gan.keras")
    command = ["evaluate", str(tmp_path / "gan.keras"), "--data", folder, "--features", "none", "--batch-size", "10"]
    assert cli.main(command) == 0
    # Three batches of 10, of which the last one holds 4.
    assert room == [30, 30, 30, 30, None]


def test_evaluate_speaks_of_options(make_image_gan, folder, tmp_path, capfd, monkeypatch):
    make_image_gan(channels=3).save(tmp_path / "gan.keras")
    (tmp_path / "pictures" / "a" / "0.png").rename(tmp_path / "pictures" / "loose.png")
    said = fails(capfd, "evaluate", tmp_path / "gan.keras", "--data", folder)
    assert "in none. Move it into one. Or give --features self_supervised, which needs no labels" in said
    assert "with labels, every image must be in a subfolder" in said
    assert "labels=" not in said and "--labels" not in said
    (tmp_path / "pictures" / "loose.png").write_bytes(b"no picture")
    said = fails(capfd, "evaluate", tmp_path / "gan.keras", "--data", folder)
    assert "give --skip-bad-images" in said and "on_error" not in said
    # Too large for memory, they go to the default cache, for which only `train` has an option.
    monkeypatch.setattr(memory, "free", lambda: 0)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "gan.keras"))
    assert cli.main(["evaluate", str(tmp_path / "gan.keras"), "--data", folder, "--skip-bad-images"]) == 1
    said = capfd.readouterr().err.splitlines()[-1]
    assert "Set KERAS_HOME to such a folder." in said and "--cache" not in said and "cache=" not in said


@pytest.mark.parametrize("channels", [1, 4])
def test_evaluate_reads_a_folder_in_the_channels_of_the_gan(channels, make_image_gan, folder, tmp_path, capfd):
    make_image_gan(channels=channels).save(tmp_path / "gan.keras")
    assert cli.main(["evaluate", str(tmp_path / "gan.keras"), "--data", folder, "--features", "none", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["count"] == 24


def test_evaluate_skips_bad_images_if_asked(make_image_gan, folder, tmp_path, capfd, caplog):
    make_image_gan(channels=3).save(tmp_path / "gan.keras")
    (tmp_path / "pictures" / "a" / "0.png").write_bytes(b"no picture")
    command = ["evaluate", tmp_path / "gan.keras", "--data", folder, "--features", "none"]
    assert "1 of 24 images" in (said := fails(capfd, *command)) and "0.png" in said
    assert cli.main([*map(str, command), "--skip-bad-images", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["count"] == 23 and "left out" in caplog.text


def test_evaluate_names_what_is_wrong(saved, make_gan, make_image_gan, folder, tmp_path, capfd):
    assert "name must be a known dataset" in fails(capfd, "evaluate", saved, "--data", "digit")
    make_image_gan(channels=2).save(tmp_path / "two.keras")
    said = fails(capfd, "evaluate", tmp_path / "two.keras", "--data", folder, "--features", "none")
    assert "--data must be images of (8, 8, 2)" in said
    make_gan().save(tmp_path / "points.keras")
    assert "must generate images" in fails(capfd, "evaluate", tmp_path / "points.keras", "--data", "digits")
    make_image_gan().generator.save(tmp_path / "generator.keras")
    assert "holds a" in fails(capfd, "evaluate", tmp_path / "generator.keras", "--data", "digits")
    assert cli.main(["evaluate", str(saved)]) == 2


class Last:
    """Calls a function when it is removed from memory."""

    def __init__(self, do):
        self.do = do

    def __del__(self):
        self.do()


def in_a_callback(number):
    Last(lambda: signal.raise_signal(number))
    Last(lambda: 1 / 0)


def in_a_library(number):
    with contextlib.suppress(BaseException):
        signal.raise_signal(number)
    Last(lambda: 1 / 0)


@pytest.mark.parametrize("lose", [in_a_callback, in_a_library])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_is_dropped_comes_again(number, lose, monkeypatch, capsys):
    came, others, waited = [], [], time.monotonic()

    def work(path):
        lose(number)
        # Nothing has been raised so far.
        came.append("dropped")
        try:
            while time.monotonic() < waited + 10:
                time.sleep(0.01)
        finally:
            # Removing what is half written takes longer than it takes a signal to come again.
            time.sleep(0.3)
            came.append("removed")

    hook, handler = others.append, signal.getsignal(signal.SIGTERM)
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr(sys, "unraisablehook", hook)
    monkeypatch.setattr(saving, "load_untrusted", work)
    code = cli.main(["sample", "gan.keras", "--out", "new.png"])
    signal.signal(signal.SIGINT, interrupt)
    assert code == 128 + number
    assert came == ["dropped", "removed"] and 0.4 < time.monotonic() - waited < 5
    assert capsys.readouterr().err == "keras-gan sample: stopped; no file was left half written.\n"
    assert [other.exc_type for other in others] == [ZeroDivisionError]
    assert sys.unraisablehook is hook and signal.getsignal(signal.SIGTERM) is handler


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (None, 1)])
def test_an_error_that_a_signal_became_is_the_signal(number, code, monkeypatch, capsys):
    def work(path):
        with contextlib.suppress(KeyboardInterrupt):
            if number is not None:
                signal.raise_signal(number)
        raise TypeError("what C code made of it")

    monkeypatch.setattr(saving, "load_untrusted", work)
    assert cli.main(["sample", "gan.keras", "--out", "new.png"]) == code
    assert ("stopped" if number else "what C code made of it") in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["Training ended at epoch 2, step 1."]], ids=["python", "fit"])
def test_ctrl_c_is_told_in_a_line(words, monkeypatch, capsys):
    def stop(path):
        raise KeyboardInterrupt(*words)

    monkeypatch.setattr(saving, "load_untrusted", stop)
    assert cli.main(["sample", "gan.keras", "--out", "new.png"]) == 130
    assert capsys.readouterr().err == "keras-gan sample: stopped; no file was left half written.\n"
