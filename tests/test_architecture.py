"""Which module may import which: the arrows of the house."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "keras_gan"

# A room, and the rooms of the package that it may import.
ARROWS = {
    "architectures": {"architectures", "checks", "conditions", "layers"},
    "augmentation": {"backend"},
    "backend": {"backend"},
    "backup": {"checks", "datasets", "files"},
    "callbacks": {"backup", "checks", "datasets", "health", "images"},
    "checks": {"checks"},
    "cli": {"augmentation", "backend", "datasets", "export", "files", "gan", "images", "metrics", "saving"},
    "conditions": {"priors"},
    "datasets": {"checks", "priors"},
    "export": {"checks", "conditions", "export", "layers", "priors"},
    "files": set(),
    "gan": {
        "backend",
        "callbacks",
        "checks",
        "conditions",
        "export",
        "files",
        "health",
        "layers",
        "losses",
        "optimizers",
        "priors",
        "state",
    },
    "health": set(),
    "images": {"checks", "files"},
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
TENSORFLOW = {"backend", "callbacks", "datasets", "export"}


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
        if _room(path) != "state":  # The one place that repairs Keras's saving.
            assert not name.startswith("keras.src"), f"{path.name} must use Keras's public names, not {name}"


def test_a_backend_is_small():
    for path in (ROOT / "backend").glob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 80, f"{path.name} has more than 80 lines"
