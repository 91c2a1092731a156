"""A real TensorBoard server reads the logs of a training run."""

import io
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import keras
import numpy as np
import pytest
from PIL import Image

import keras_gan


@pytest.fixture
def server(tmp_path):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    binary = os.path.join(os.path.dirname(sys.executable), "tensorboard")
    command = [binary, "--logdir", str(tmp_path), "--host", "127.0.0.1", "--port", str(port), "--reload_interval", "1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def get(path):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/data/plugin/{path}", timeout=10) as response:
            return response.read()

    yield get
    process.terminate()
    process.wait(20)


def eventually(function, seconds=90):
    end = time.time() + seconds
    while True:
        try:
            value = function()
            if value or time.time() > end:
                return value
        except (urllib.error.URLError, ConnectionError):
            if time.time() > end:
                raise
        time.sleep(0.5)


def scalar_tags(server):
    tags = json.loads(server("scalars/tags"))
    return tags if {"train", "validation"} <= set(tags) else None


def test_tensorboard_shows_scalars_and_samples(server, make_image_gan, images, tmp_path):
    gan = make_image_gan()
    history = gan.fit(
        images,
        batch_size=16,
        epochs=2,
        verbose=0,
        validation_data=images[:16],
        callbacks=[keras.callbacks.TensorBoard(tmp_path), keras_gan.callbacks.SampleGrid(tmp_path, n=4)],
    ).history

    tags = eventually(lambda: scalar_tags(server))
    for name in ("discriminator_loss", "generator_loss", "real_accuracy", "fake_accuracy"):
        assert f"epoch_{name}" in tags["train"] and f"epoch_{name}" in tags["validation"]
    assert {"epoch_learning_rate_generator", "epoch_learning_rate_discriminator"} <= set(tags["train"])
    scalars = json.loads(server("scalars/scalars?run=train&tag=epoch_discriminator_loss"))
    np.testing.assert_allclose([value for _, _, value in scalars], history["discriminator_loss"], rtol=1e-5)

    pictures = eventually(lambda: json.loads(server("images/images?run=train&tag=samples&sample=0")))
    assert [p["step"] for p in pictures] == [0, 1]
    last = Image.open(io.BytesIO(server(f"images/individualImage?{pictures[-1]['query']}")))
    expected = Image.open(tmp_path / "samples" / "epoch_0002.png")
    np.testing.assert_array_equal(np.asarray(last.convert("L")), np.asarray(expected))
