"""Runs the code blocks of the documents, in order, in one process for each document."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import keras_gan
from keras_gan import cli

ROOT = Path(__file__).parents[2]


def blocks(name, language):
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / name).read_text(encoding="utf-8"), re.S | re.M)


def run(name, folder):
    """Runs a document's Python blocks, cut to one epoch of two steps by Keras's own settings."""
    script = "\n".join(blocks(name, "python"))
    assert "keras_gan" in script
    env = {**os.environ, "KERAS_MAX_EPOCHS": "1", "KERAS_MAX_STEPS_PER_EPOCH": "2", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], cwd=folder, env=env, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_readme(tmp_path):
    (tmp_path / "photos").mkdir()
    for i in range(3):
        noise = np.random.default_rng(i).integers(0, 255, (70, 90, 3)).astype("uint8")
        Image.fromarray(noise).save(tmp_path / "photos" / f"{i}.jpg")
    out = run("README.md", tmp_path)
    assert "discriminator_loss" in out and "checked" in out
    for path in ("digits.keras", "digits.tflite", "generator/saved_model.pb", "runs/digits/samples/epoch_0001.png"):
        assert (tmp_path / path).exists(), path


def test_export_readme(tmp_path):
    keras_gan.GAN(
        keras_gan.architectures.mlp_generator((28, 28, 1), latent_dim=64, units=(8,)),
        keras_gan.architectures.mlp_discriminator((28, 28, 1), units=(8,)),
        ema=None,
    ).save(tmp_path / "gan.keras")
    assert "checked" in run("export/README.md", tmp_path)


def test_shell_commands_exist():
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M))
    scripts = json.loads((ROOT / "export/web/package.json").read_text())["scripts"]
    texts = [text for name in ("README.md", "CONTRIBUTING.md", "export/README.md") for text in blocks(name, "bash")]
    commands = [line for text in texts for line in text.splitlines()]
    assert len(commands) >= 6
    for command in commands:
        words = command.split()
        assert words[0] in ("cd", "cp", "keras-gan", "make", "npm", "pip", "tensorboard"), command
        assert words[0] != "cd" or (ROOT / words[1]).is_dir(), command
        assert words[0] != "make" or words[1] in targets, command
        assert words[0] != "npm" or words[1] in ("ci", *scripts), command
        assert words[0] != "keras-gan" or cli.main([words[1], "--help"]) == 0, command


def test_files_that_documents_name_exist():
    documents = [path for folder in (".", "docs", "export", "recipes") for path in (ROOT / folder).glob("*.md")]
    assert len(documents) >= 5
    for document in documents:
        text = document.read_text("utf-8")
        for path in re.findall(r"`((?:keras_gan|recipes|benchmarks|tests|docs)/[a-z0-9_/.]+)`", text):
            assert (ROOT / path).exists(), f"{document} names {path}"


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "export/README.md", "recipes/README.md"])
def test_links_lead_somewhere(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert link.startswith("https://") or ((ROOT / name).parent / link).exists(), link
