"""The data benchmark, in a short form."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "data.py"


@pytest.mark.long
def test_streaming_takes_little_memory(tmp_path, without_notes):
    sizes = ["--images", "1000", "--jpegs", "20", "--steps", "5", "--rounds", "1", "--folder", tmp_path]
    command = [sys.executable, str(SCRIPT), *sizes, "--json", "f.json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and without_notes(done.stderr) == "", done.stderr[-3000:]
    assert max(map(len, done.stdout.splitlines())) <= 80
    figures = json.loads((tmp_path / "f.json").read_text())
    assert [p.name for p in tmp_path.iterdir()] == ["f.json"]
    assert 0 <= figures["extra_mb"] < 300 and 100 < figures["own_mb"] < 2000
    assert 0 < figures["jpegs_largest_difference"] <= 12 and 0.05 < figures["jpegs_mean_difference"] < 1
    assert min(*figures["steps_per_second"].values(), *figures["jpegs_per_second"].values()) > 0
