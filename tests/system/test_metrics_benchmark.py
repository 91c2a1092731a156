"""The metrics benchmark, in a short form."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "metrics.py"


def test_frechet_distance_streams_and_is_right(tmp_path, without_notes):
    sizes = ["--examples", "2000", "--features", "128", "--batch", "300", "--rounds", "1"]
    command = [sys.executable, str(SCRIPT), *sizes, "--json", str(tmp_path / "f.json")]
    # In a process of its own, whose memory is measured.
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and without_notes(done.stderr) == "", done.stderr[-3000:]
    assert max(map(len, done.stdout.splitlines())) <= 80
    figures = json.loads((tmp_path / "f.json").read_text())
    assert figures["relative_error"] < 1e-6 and figures["frechet_distance"] > 0.1
    assert 0 < figures["of_which_result_seconds"] < figures["metric_seconds"]
    assert figures["peak_growth_mb_after_a_tenth"] < 10
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(SCRIPT))["main"](command[2:])
    assert stop.value.code == 2 and json.loads((tmp_path / "f.json").read_text()) == figures
