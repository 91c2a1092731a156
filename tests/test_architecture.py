"""Which module may import which: the arrows of the house."""

import ast
import re
from pathlib import Path

import pytest

from keras_gan import keras_private

ROOT = Path(__file__).parent.parent / "keras_gan"

# A room, and the rooms of the package that it may import.
ARROWS = {
    "architectures": {"architectures", "checks", "layers"},
    "augmentation": {"backend"},
    "backend": {"backend"},
    "backup": {"checks", "files"},
    "callbacks": {"backup", "checks", "datasets", "health", "images"},
    "checks": {"checks", "keras_private"},
    "cli": {"augmentation", "backend", "datasets", "export", "files", "gan", "images", "metrics", "saving"},
    "conditions": {"priors"},
    "datasets": {"checks", "datasets", "keras_private", "priors"},
    "export": {"checks", "conditions", "export", "keras_private", "layers", "priors"},
    "files": set(),
    "gan": {
        "backend",
        "callbacks",
        "checks",
        "conditions",
        "export",
        "files",
        "health",
        "keras_private",
        "layers",
        "losses",
        "optimizers",
        "priors",
        "state",
    },
    "health": set(),
    "images": {"checks", "files"},
    "keras_private": set(),
    "layers": {"checks"},
    "losses": set(),
    "metrics": {"backend", "checks", "datasets", "metrics", "saving"},
    "optimizers": set(),
    "penalties": {"backend"},
    "priors": set(),
    "saving": set(),
    "state": set(),
}

# Where TensorFlow is data, pictures or a converter and not training.
TENSORFLOW = {"backend", "callbacks", "datasets", "export", "keras_private"}


def _rooms():
    return sorted(p for p in ROOT.rglob("*.py") if p != ROOT / "__init__.py")


def _room(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def _imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", _rooms(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_follow_the_arrows(path):
    allowed = ARROWS[_room(path)]
    for name in _imports(path):
        parts = name.split(".")
        if parts[0] == "keras_gan" and len(parts) > 1 and (ROOT / parts[1]).with_suffix(".py").exists():
            assert parts[1] in allowed, f"{path.name} must not import {name}"
        if parts[0] == "keras_gan" and len(parts) > 1 and (ROOT / parts[1]).is_dir():
            assert parts[1] in allowed, f"{path.name} must not import {name}"
        if parts[0] in ("tensorflow", "tensorflow_datasets"):
            assert _room(path) in TENSORFLOW, f"{path.name} must not import {name}"


# === Private names ===

# Whole modules, beside the names in `keras_private.NAMES`.
MODULES = r"keras\.src|tensorflow\.python"

# lead: the first compares a module's name that stands in files, the second repairs Keras's saving.
NOT_YET = {"optimizers.py", "state.py"}


def _pattern(name):
    """Makes the pattern of a private name: a module, or what is called, read or overridden."""
    return rf"\.{name}\b|^ +def {name}\b" if name.startswith("_") else rf"\b{name}\b"


@pytest.mark.parametrize(
    "path",
    [path for path in _rooms() if path.name not in {"keras_private.py", *NOT_YET}],
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_private_names_are_in_one_place(path):
    pattern = re.compile("|".join([MODULES, *map(_pattern, keras_private.NAMES)]), re.MULTILINE)
    found = [match.group().strip() for match in pattern.finditer(path.read_text(encoding="utf-8"))]
    assert not found, f"{path.name} must leave {', '.join(found)} to keras_private.py"


@pytest.mark.parametrize("name", keras_private.NAMES)
def test_a_private_name_is_still_there(name):
    try:
        keras_private.NAMES[name]()
    except (ImportError, AttributeError) as error:
        pytest.fail(f"{name} is gone: {error}. keras_private.py says what used it.")


def test_the_table_of_private_names_is_whole():
    text = (ROOT / "keras_private.py").read_text(encoding="utf-8")
    used, _, table = text.partition("# === The names ===")
    assert table and [name for name in keras_private.NAMES if not re.search(_pattern(name), used, re.MULTILINE)] == []
    nodes = list(ast.walk(ast.parse(used)))
    names = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    bodies = [node.body for node in nodes if isinstance(node, ast.ClassDef)]
    names |= {part.name for body in bodies for part in body if isinstance(part, ast.FunctionDef)}
    assert {name for name in names if re.match("_(?!_)", name)} <= keras_private.NAMES.keys()


def test_a_backend_is_small():
    for path in (ROOT / "backend").glob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 80, f"{path.name} has more than 80 lines"
