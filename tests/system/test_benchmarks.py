"""The benchmarks run, in a short form, and report what they measured."""

import importlib.util
import json
import math
import runpy
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def coverage():
    """The module of the coverage benchmark."""
    spec = importlib.util.spec_from_file_location("coverage_benchmark", BENCHMARKS / "coverage.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_coverage_of_stacks(coverage, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    coverage.main(["stacked", "--quick", "--json", "f.json"])
    out, err = capfd.readouterr()
    assert err == "" and "stacked, seed 0: 100%" in out and "this run, 1 seed\n" in out
    figures = json.loads((tmp_path / "f.json").read_text())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f-stacked-0.png", "f.json"]
    result = figures["stacked"]
    assert figures["quick"] and [run["seed"] for run in result["runs"]] == [0]
    for run in result["runs"]:
        assert 0 < run["modes"] < 200 and run["high_quality"] == 1 and 1 < run["reverse_kl"] < math.log(1000) + 1e-5
    # 500 draws of 1,000 equal modes reach 394 +- 10 of them; a barely trained classifier adds its errors.
    assert 330 < result["real"]["modes"] < 430 and result["real"]["high_quality"] == 1


def test_summary_by_hand(coverage):
    runs = [{"modes": m, "high_quality": 0.9, "reverse_kl": k} for m, k in ((24, 0.1), (25, 0.2), (26, 0.6))]
    summary = coverage.summarise(runs)
    assert summary["mean"] == pytest.approx({"modes": 25, "high_quality": 0.9, "reverse_kl": 0.3})
    # Variances 1 and 0.07, over three runs.
    expected = {"modes": (1 / 3) ** 0.5, "high_quality": 0, "reverse_kl": (0.07 / 3) ** 0.5}
    assert summary["standard_error"] == pytest.approx(expected)
    assert coverage.summarise(runs[:1])["standard_error"]["modes"] is None


@pytest.mark.parametrize("name", ["ring", "grid", "stacked"])
def test_a_table_fits_the_terminal(coverage, name):
    runs = [{"modes": m, "high_quality": 0.981, "reverse_kl": 0.0123} for m in (998, 1000)]
    real = {"modes": 1000.0, "high_quality": 1.0, "reverse_kl": 0.0235}
    lines = coverage.table(name, {"runs": runs, "real": real, **coverage.summarise(runs)})
    assert max(map(len, [*lines, *coverage.NOTE.splitlines()])) <= 80
    assert lines[1].split()[:4] == ["keras_gan", "999.0", "±", "1.0"]
    assert ("98.1 ± 0.0" in lines[1]) == ("high quality" in lines[0]) == (name != "stacked")
    assert len(lines) == 3 + len(coverage.PUBLISHED[name])


def test_coverage_refuses(coverage, tmp_path, capsys):
    (tmp_path / "mine.json").write_text("precious")
    for flags, message in (
        (["--json", str(tmp_path / "mine.json")], "is there already; nothing was overwritten"),
        (["spiral"], "must be ring, grid or stacked, received spiral"),
        (["--seeds", "0"], "must be at least 1"),
    ):
        with pytest.raises(SystemExit) as stop:
            coverage.main(flags)
        assert stop.value.code == 2 and message in capsys.readouterr().err
    assert (tmp_path / "mine.json").read_text() == "precious"


@pytest.mark.long
def test_a_step_of_translation_beside_the_same_by_hand(tmp_path, capsys):
    benchmark = runpy.run_path(str(BENCHMARKS / "translation.py"))
    benchmark["main"](["--quick", "--json", str(tmp_path / "f.json")])
    figures = json.loads((tmp_path / "f.json").read_text())
    assert list(figures) == ["alternating", "simultaneous"] and capsys.readouterr().out.count("s a step, by hand") == 2
    for found in figures.values():
        ratios = sorted(own / other for own, other in found["seconds"])
        assert len(ratios) == 2 and ratios[0] <= found["interval"][0] <= found["ratio"] <= found["interval"][1]
        assert 0.1 < found["ratio"] < 10
