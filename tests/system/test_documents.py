"""Runs the code blocks of the documents, in order, in one process for each document."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import keras_gan
from keras_gan import cli

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "export/*.md", "export/*/*.md", "recipes/*.md")
    for path in ROOT.glob(pattern)
    if path.relative_to(ROOT).parts[:2] not in {("docs", made) for made in ("_build", "recipes", "reference")}
)
# These have a process of their own: they change its settings, or learn features, which takes long if not compiled.
ALONE = (
    *("README.md", "docs/coming_from/pytorch.md", "docs/guides/devices.md", "docs/guides/metrics.md"),
    "docs/guides/resuming.md",
)
# What documents print and the files that they leave, where they say so.
PRINTED = {"README.md": "checked", "docs/guides/phone.md": "checked", "export/README.md": "checked"}
LEFT = {
    "README.md": ["digits.keras", "digits.tflite", "runs/digits/samples/epoch_0001.png"],
    "docs/guides/folder.md": ["faces.keras", "runs/digits/gan.keras", "runs/faces/samples/epoch_0001.png"],
    "docs/guides/metrics.md": ["best.keras", "copies.png"],
    "docs/guides/phone.md": ["generator.tflite", "generator.tflite.md", "relief.tflite"],
    "docs/guides/pictures.md": ["negatives.tflite", "brighter.tflite"],
    "docs/guides/resuming.md": ["digits.keras"],
    "docs/guides/troubleshooting.md": ["runs/digits/samples/epoch_0001.png"],
    "export/README.md": ["generator/saved_model.pb", "generator.onnx"],
}


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name, language):
    return re.findall(rf"^```{language}\n(.*?)^```", read(name), re.S | re.M)


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A folder of what documents take as given: photographs, and a GAN."""
    folder = tmp_path_factory.mktemp("given")
    (folder / "photos").mkdir()
    for i in range(40):
        noise = np.random.default_rng(i).integers(0, 255, (45, 60, 3)).astype("uint8")
        Image.fromarray(noise).save(folder / "photos" / f"{i}.jpg")
    keras_gan.GAN(
        keras_gan.architectures.mlp_generator((28, 28, 1), latent_dim=64, units=(8,)),
        keras_gan.architectures.mlp_discriminator((28, 28, 1), units=(8,)),
        ema=None,
    ).save(folder / "gan.keras")
    return folder


def run(name, folder, monkeypatch, capsys):
    """Runs a document's Python blocks, cut to one epoch of two steps, and returns what they print."""
    script = "\n".join(blocks(name, "python"))
    assert "keras_gan" in script
    if name not in ALONE:
        monkeypatch.chdir(folder)
        exec(compile(script, name, "exec"), {"__name__": "__main__"})
        return capsys.readouterr().out
    env = {**os.environ, "KERAS_MAX_EPOCHS": "1", "KERAS_MAX_STEPS_PER_EPOCH": "2", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-W", "ignore", "-c", script]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def with_python():
    for name in DOCUMENTS:
        if blocks(name, "python"):
            # What these show of the library is in the guides, too.
            yield pytest.param(name, marks=[pytest.mark.long] if name.startswith("docs/coming_from/") else [])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", list(with_python()))
def test_python_blocks_run(name, given, tmp_path, monkeypatch, capsys, briefly):
    folder = shutil.copytree(given, tmp_path / "run")
    out = run(name, folder, monkeypatch, capsys)
    assert "discriminator_loss" in out or not any(".fit(" in block for block in blocks(name, "python"))
    assert PRINTED.get(name, "") in out
    for path in LEFT.get(name, []):
        assert (folder / path).exists(), path


def test_documents_are_found():
    assert {*PRINTED, *LEFT} <= set(DOCUMENTS)
    assert sum(name.startswith("docs/guides/") for name in DOCUMENTS) >= 10


def commands(name):
    """Lists the words of each command in a document, without variables that are set for it."""
    lines = "".join(blocks(name, "bash")).replace("\\\n", "").splitlines()
    for words in (shlex.split(line, comments=True) for line in lines):
        while words and re.match(r"[A-Z_]+=", words[0]):
            words.pop(0)
        if words:
            yield words


def test_shell_commands_exist():
    targets = set(re.findall(r"^(\w[\w-]*):", (ROOT / "Makefile").read_text(), re.M))
    scripts = json.loads((ROOT / "export/web/package.json").read_text())["scripts"]
    # Other pages are for maintainers, or of other libraries.
    names = [name for name in DOCUMENTS if name.startswith("docs/guides/") or not name.startswith("docs/")]
    found = [words for name in names for words in commands(name)]
    assert len(found) >= 30
    for words in found:
        tool, *rest = words
        tool = tool.removeprefix(".venv/bin/")
        assert tool in ("cd", "cp", "keras-gan", "make", "npm", "pip", "python", "python3", "tensorboard"), words
        assert tool != "cd" or (ROOT / rest[0]).is_dir(), words
        assert tool != "make" or rest[0] in targets, words
        assert tool != "npm" or rest[0] in ("ci", *scripts), words
        assert tool != "python" or rest[0] == "train.py" or (ROOT / rest[0]).is_file(), words
        if tool == "keras-gan":
            # Ends with exit code 2 for an option that there is not.
            cli._parser().parse_args(rest)


def test_files_that_documents_name_exist():
    assert len(DOCUMENTS) >= 5
    for name in DOCUMENTS:
        for path in re.findall(r"`((?:keras_gan|recipes|benchmarks|tests|docs)/[a-z0-9_/.]+)`", read(name)):
            assert (ROOT / path).exists(), f"{name} names {path}"


def headings(path):
    """Lists the anchors of a document's headings, as code hosts and MyST make them."""
    text = path.read_text(encoding="utf-8")
    if included := re.search(r"^```{include} (\S+)", text, re.M):
        text = (path.parent / included[1]).read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    titles = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name):
    text = re.sub(r"^```.*?^```", "", read(name), flags=re.S | re.M)
    for link in re.findall(r"\]\(([^)]+)\)", text):
        if not link.startswith("https://"):
            path, _, anchor = link.partition("#")
            target = ((ROOT / name).parent / path).resolve() if path else ROOT / name
            if target.parent == ROOT / "docs" / "reference":  # `make docs` writes a page for each module.
                assert target.stem in sys.modules, link
                continue
            assert target.exists(), link
            assert not anchor or anchor in headings(target), link


def test_readme_is_short():
    assert len(read("README.md").splitlines()) < 150
