"""Paths to write to: an address, such as `gs://bucket/run`, is none, and must not become a folder called `gs:`."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_gan import callbacks, cli, datasets, export, images, saving, settings
from keras_gan.checks import check_path

PICTURES = np.zeros((4, 8, 8, 1), "uint8")


def _generator():
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])


def _replacing(path):
    with saving.replacing(path) as part:
        part.touch()


# What writes, or reads what was written there: its argument, the name of a file, and a call.
CALLS = {
    "BackupAndRestore": ("backup_dir", "backup", callbacks.BackupAndRestore),
    "SampleGrid": ("log_dir", "run", callbacks.SampleGrid),
    "MetricsLog": ("path", "metrics.jsonl", callbacks.MetricsLog),
    "read_metrics": ("path", "metrics.jsonl", callbacks.read_metrics),
    "TrainingHealth": ("log_dir", "run", callbacks.TrainingHealth),
    "TrainingHealth of a checkpoint": ("checkpoint", "a.keras", lambda p: callbacks.TrainingHealth(checkpoint=p)),
    "callbacks.for_run": ("run_dir", "run", callbacks.for_run),
    "callbacks of settings": ("run_dir", "run", lambda p: settings.for_images((8, 8, 1), 20).callbacks(p)),
    "measure of settings": ("folder", "run", lambda p: settings.for_images((8, 8, 1), 20).measure(folder=p)),
    "load": ("cache", "cache", lambda p: datasets.load("digits", 8, cache=p)),
    "load_pairs": ("cache", "cache", lambda p: datasets.load_pairs(PICTURES, PICTURES, batch_size=2, cache=p)),
    "load_unpaired": ("cache", "cache", lambda p: datasets.load_unpaired(PICTURES, PICTURES, batch_size=2, cache=p)),
    "save of images": ("path", "a.png", lambda p: images.save(p, PICTURES[0])),
    "save_animation": ("path", "a.gif", lambda p: images.save_animation(p, PICTURES)),
    "replacing": ("path", "latents.npy", _replacing),
    "export": ("filepath", "a.tflite", lambda p: export.export(_generator(), p)),
    "export_translation": ("filepath", "a.tflite", lambda p: export.export_translation(_generator(), p)),
    "save of a report": ("path", "a.json", lambda p: export.Report.save(None, p)),
}


@pytest.mark.parametrize("base", ["gs://bucket", "hf://user/model", Path("gs://bucket")], ids=["gs", "hf", "path"])
@pytest.mark.parametrize("name", CALLS)
def test_an_address_is_refused(name, base, tmp_path, monkeypatch):
    argument, file, call = CALLS[name]
    monkeypatch.chdir(tmp_path)
    # So that a path below it could be written.
    for folder in ("gs:/bucket", "hf:/user/model"):
        (tmp_path / folder).mkdir(parents=True)
    there = sorted(tmp_path.rglob("*"))
    address = base / file if isinstance(base, Path) else f"{base}/{file}"
    message = f"{argument} must be a path on this machine, not an address. Received: {str(address)!r}. Mount the"
    with pytest.raises(ValueError, match=re.escape(message)):
        call(address)
    assert sorted(tmp_path.rglob("*")) == there


@pytest.mark.parametrize(
    ("name", "argv"),
    [
        ("--run-dir", ["train", "digits", "--run-dir", "gs://bucket/run"]),
        ("--cache", ["train", "digits", "--run-dir", "run", "--cache", "gs://bucket/cache"]),
        ("--out", ["sample", "gan.keras", "--out", "gs://bucket/samples.png"]),
        ("OUT", ["translate", "gan.keras", "photos", "gs://bucket/photos"]),
    ],
)
def test_a_command_refuses_an_address(name, argv, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(argv) == 1
    assert f"{name} must be a path on this machine, not an address. Received: 'gs://" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "path",
    ["C:\\runs", "C:/runs", "C://runs", "c:", "10:30/run", "run:1", "run: 2/a", "run:/a", "gs:", "gs:run", "a/gs:/b"],
)
def test_a_name_with_a_colon_is_allowed(path):
    assert check_path("path", path) == check_path("path", Path(path)) == Path(path)


def test_a_folder_with_a_colon_is_written_to(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    log = callbacks.MetricsLog("run:1/10:30.jsonl")
    log.on_train_begin()
    log.on_epoch_end(0, {"loss": 1.0})
    assert callbacks.read_metrics(tmp_path / "run:1" / "10:30.jsonl") == [{"epoch": 0, "loss": 1.0}]
