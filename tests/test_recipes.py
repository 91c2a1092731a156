"""The recipes run, in a short form, and leave what they promise."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

RECIPES = Path(__file__).parent.parent / "recipes"


def run(name, *args, cwd):
    done = subprocess.run(
        [sys.executable, str(RECIPES / name), *args],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    return done


def test_digits(tmp_path):
    done = run("digits.py", "--quick", cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    (folder,) = (tmp_path / "runs").iterdir()
    assert re.fullmatch(r"digits-\d{8}-\d{6}", folder.name)
    names = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert {
        "gan.keras",
        "generator.tflite",
        "summary.json",
        "samples/epoch_0001.png",
        "samples/epoch_0002.png",
    } <= names
    assert any(name.startswith("train/events.out.tfevents") for name in names)
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["generator.tflite"]["max_error"] <= 1e-5
    assert sum(summary["shares"]) == pytest.approx(1)
    assert 0.1 < summary["mean_top_probability"] <= 1
    # The bar, the closing lines, and no chatter of any library.
    assert done.stderr == ""
    assert "Epoch 2/2" in done.stdout and "generator.tflite" in done.stdout
    closing = done.stdout[done.stdout.index("Trained for") :].splitlines()
    assert max(map(len, closing)) <= 100


def test_bad_flags_and_full_folders_are_refused(tmp_path):
    assert run("digits.py", "--epochs", "0", cwd=tmp_path).returncode == 2
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    done = run("digits.py", "--quick", "--run-dir", "mine", cwd=tmp_path)
    assert done.returncode == 2 and "nothing was overwritten" in done.stderr
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
    assert "--run-dir" in run("digits.py", "--help", cwd=tmp_path).stdout
