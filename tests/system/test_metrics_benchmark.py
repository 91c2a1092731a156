"""The metrics benchmark, in a short form."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "metrics.py"


def run(*args, cwd):
    command = [sys.executable, str(SCRIPT), *args]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)


def test_frechet_distance_streams_and_is_right(tmp_path):
    sizes = ["--examples", "2000", "--features", "128", "--batch", "300", "--rounds", "1"]
    done = run(*sizes, "--json", "f.json", cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == "", done.stderr[-3000:]
    assert max(map(len, done.stdout.splitlines())) <= 80
    figures = json.loads((tmp_path / "f.json").read_text())
    assert figures["relative_error"] < 1e-6 and figures["frechet_distance"] > 0.1
    assert 0 < figures["of_which_result_seconds"] < figures["metric_seconds"]
    assert figures["peak_growth_mb_after_a_tenth"] < 10
    assert run(*sizes, "--json", "f.json", cwd=tmp_path).returncode == 2
