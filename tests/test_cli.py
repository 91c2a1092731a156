import json
import os
import subprocess
import sys

import pytest

from keras_gan import cli


@pytest.fixture
def saved(make_image_gan, tmp_path):
    make_image_gan().save(tmp_path / "gan.keras")
    return tmp_path / "gan.keras"


def fails(capfd, *argv):
    """The one line on stderr of a command that fails."""
    assert cli.main([str(a) for a in argv]) == 1
    out, err = capfd.readouterr()
    assert out == "" and err.count("\n") == 1, (out, err)
    return err


def test_export(saved, tmp_path, capfd):
    assert cli.main(["export", str(saved), str(tmp_path / "g.tflite"), "--json"]) == 0
    report = json.loads(capfd.readouterr().out)
    assert report["bytes"] == (tmp_path / "g.tflite").stat().st_size


def test_export_options(saved, tmp_path, capfd):
    path = tmp_path / "g.tflite"
    options = ["--quantize", "dynamic", "--batch-sizes", "1", "2", "--sample", "--output", "uint8"]
    assert (
        cli.main(["export", str(saved), str(path), *options, "--card", "license=CC0", "--card", "data=a=b", "--json"])
        == 0
    )
    report = json.loads(capfd.readouterr().out)
    assert report["quantize"] == "dynamic" and report["card"]["license"] == "CC0" and report["card"]["data"] == "a=b"
    assert set(report["signatures"]) == {"generate", "generate_2", "sample", "sample_2"}
    assert report["card"]["range"] == "bytes, 0 to 255"
    assert cli.main(["benchmark", str(path), "--seconds", "0.01", "--threads", "1"]) == 0
    out, err = capfd.readouterr()
    assert "1 thread" in out and "2 threads" not in out and "CAST" in out and err == ""


def test_benchmark_of_what_is_no_generator(saved, tmp_path, capfd):
    assert "must be a .tflite file" in fails(capfd, "benchmark", saved)
    assert "does not exist" in fails(capfd, "benchmark", tmp_path / "none.tflite")


def test_export_of_a_generator_alone(make_image_gan, tmp_path, capfd):
    make_image_gan().generator.save(tmp_path / "generator.keras")
    assert cli.main(["export", str(tmp_path / "generator.keras"), str(tmp_path / "g.tflite")]) == 0
    assert "checked" in capfd.readouterr().out


def test_files_that_are_no_gan(tmp_path, capfd):
    assert "gan must be a .keras file" in fails(capfd, "export", tmp_path / "none.keras", tmp_path / "g.tflite")
    (tmp_path / "broken.keras").write_bytes(b"PK\x03\x04 and no more")
    assert "gan must be a .keras file" in fails(capfd, "export", tmp_path / "broken.keras", tmp_path / "g.tflite")
    assert os.listdir(tmp_path) == ["broken.keras"]


def test_usage(capfd):
    assert cli.main([]) == 2
    assert cli.main(["paint"]) == 2
    assert cli.main(["export", "gan.keras"]) == 2
    assert "usage: keras-gan" in capfd.readouterr().err
    for wrong in (["--quantize", "int4"], ["--card", "license"], ["--batch-sizes", "many"]):
        assert cli.main(["export", "gan.keras", "g.tflite", *wrong]) == 2
    assert cli.main(["benchmark", "g.tflite", "--threads", "0"]) == 2
    assert cli.main(["--help"]) == 0
    assert "export" in capfd.readouterr().out


def test_the_command_says_nothing_but_its_result():
    command = [sys.executable, "-m", "keras_gan_cli", "export", "none.keras", "g.tflite"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("keras-gan export: gan must be") and done.stderr.count("\n") == 1
