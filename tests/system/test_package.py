"""What is published: the files of the package and of its source archive, and one version."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import keras_gan

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with the metadata of the package, the list of its source archive, and in `wheel` the package's files."""
    folder = tmp_path_factory.mktemp("built")
    command = ["setup.py", "-q", "egg_info", "--egg-base", folder, "build_py", "--build-lib", folder / "wheel"]
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def files(folder):
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {str(path) for path in found if "__pycache__" not in path.parts}


def test_the_wheel_has_the_package_and_nothing_else(built):
    assert files(built / "wheel") == {f"keras_gan/{path}" for path in files(ROOT / "keras_gan")} | {"keras_gan_cli.py"}


@pytest.mark.skipif(not (ROOT / ".git").exists() or not shutil.which("git"), reason="not a clone, or no git")
def test_the_source_archive_has_all_that_is_kept(built):
    def listed(*options):
        command = ["git", "ls-files", *options]
        lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
        return {path for path in lines if (ROOT / path).is_file() and not path.startswith(".")}

    lines = (built / "keras_gan.egg-info" / "SOURCES.txt").read_text(encoding="utf-8").splitlines()
    sources = {path for path in lines if "egg-info" not in path}
    kept = listed()
    assert kept - sources == set()
    # What is new comes along; what git ignores does not.
    assert sources - kept <= listed("--others", "--exclude-standard")


def test_the_version_is_in_one_place(built):
    version = keras_gan.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.?(a|b|rc|dev|post)\d+)?", version)
    assert f"\nVersion: {version}\n" in (built / "keras_gan.egg-info" / "PKG-INFO").read_text(encoding="utf-8")
    others = [ROOT / name for name in ("setup.py", "pyproject.toml", "CITATION.cff", "docs/conf.py")]
    assert [path.name for path in others if path.exists() and version in path.read_text(encoding="utf-8")] == []
