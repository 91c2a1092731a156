"""Processor-dependent behavior: TensorFlow uses oneDNN in users' programs."""

import logging
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from keras_gan import backend, keras_private

ROOT = Path(__file__).parents[2]
NAME = "TF_ENABLE_ONEDNN_OPTS"


def run(script, **environment):
    """Runs a script without the tests' setting; returns the lines that it prints."""
    env = {key: value for key, value in os.environ.items() if key != NAME}
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "recipes")])
    done = subprocess.run([sys.executable, "-c", script], env={**env, **environment}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("import os, keras_gan; print({name} in os.environ)", "False"),
        ("import os, digits; print(os.environ[{name}])", "1"),
        (
            "import os, sys, keras_gan_cli; sys.argv = ['', 'none']; keras_gan_cli.main(); print(os.environ[{name}])",
            "1",
        ),
    ],
    ids=["package", "recipes", "command"],
)
def test_where_onednn_is_on(script, expected):
    assert run(script.format(name=repr(NAME)))[-1] == expected


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="elsewhere it is on, or there is none")
@pytest.mark.parametrize(("value", "lacking"), [("0", True), ("1", False)])
def test_tensorflow_says_if_onednn_is_on(value, lacking):
    script = "from keras_gan import keras_private; print(keras_private.lacks_onednn())"
    assert run(script, **{NAME: value})[-1] == str(lacking)


@pytest.mark.parametrize(
    ("lacking", "value", "gpus", "said"),
    [(True, None, [], 1), (True, "1", [], 1), (True, "0", [], 0), (False, None, [], 0), (True, None, ["GPU:0"], 0)],
)
def test_fit_says_once_what_slows_it(lacking, value, gpus, said, points, make_gan, monkeypatch, caplog):
    gan = make_gan()
    monkeypatch.setattr(keras_private, "lacks_onednn", lambda: lacking)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: gpus)
    if value is None:
        monkeypatch.delenv(NAME, raising=False)
    else:
        monkeypatch.setenv(NAME, value)
    backend.warn_of_slow_processor.cache_clear()
    with caplog.at_level(logging.WARNING, "keras_gan"):
        for _ in range(2):
            gan.fit(points, batch_size=64, verbose=0)
    assert sum('os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"' in r.message for r in caplog.records) == said
    backend.warn_of_slow_processor.cache_clear()


def test_import_does_not_need_litert():
    # It is installed with an extra.
    assert run("import sys, keras_gan; print('ai_edge_litert' in sys.modules)") == ["False"]
