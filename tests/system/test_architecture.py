"""Import rules between modules."""

import ast
import graphlib
import re
from pathlib import Path

import pytest

from keras_gan import keras_private

ROOT = Path(keras_private.__file__).parent
CONTRIBUTING = ROOT.parent / "CONTRIBUTING.md"


def _table():
    """Reads the table of modules: a dict from each module to its allowed imports, None for everything."""
    text = CONTRIBUTING.read_text(encoding="utf-8").partition("\n| module | holds | ")[2]
    lines = text.partition("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    found = {}
    for module, _, imports in cells:
        assert module not in found, f"{module} has two lines"
        found[module] = None if imports == "everything" else set(re.findall(r"`(\w+)`|(TensorFlow)", imports))
    return {module.strip("`"): imports and {a or b for a, b in imports} for module, imports in found.items()}


def _files():
    return sorted(p for p in ROOT.rglob("*.py") if p != ROOT / "__init__.py")


def _module(path):
    """Returns the module of a file as in the table: `file.py` or `folder/`."""
    first, *rest = path.relative_to(ROOT).parts
    return f"{first}/" if rest else first


def _imports(path):
    """Finds the modules that a file imports, and TensorFlow."""
    modules = {_module(p).removesuffix(".py").strip("/") for p in _files()}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for first, *rest in (name.split(".") for name in names):
            if first in ("tensorflow", "tensorflow_datasets"):
                yield "TensorFlow"
            elif first == "keras_gan":
                assert rest and rest[0] in modules, f"{path.name} must import from a module, not from the package"
                # The lowest modules.
                if rest[:2] != ["checks", "values"]:
                    yield rest[0]


TABLE = _table()


def test_each_module_has_a_line_and_each_line_a_module():
    assert TABLE.keys() == {_module(path) for path in _files()}


@pytest.mark.parametrize("module", [module for module, imports in TABLE.items() if imports is not None])
def test_a_module_imports_what_its_line_says(module):
    own = module.removesuffix(".py").strip("/")
    found = {name: path.name for path in _files() if _module(path) == module for name in _imports(path) if name != own}
    strangers = [f"{name} (in {file})" for name, file in found.items() if name not in TABLE[module]]
    assert not strangers, f"{module} must not import {', '.join(strangers)}"
    assert not TABLE[module] - found.keys(), f"{module} no longer imports what its line names"


def test_no_arrows_make_a_circle():
    arrows = {module.removesuffix(".py").strip("/"): imports or set() for module, imports in TABLE.items()}
    assert len(list(graphlib.TopologicalSorter(arrows).static_order())) == len(arrows) + 1  # TensorFlow.


# === Private names ===

# Whole modules, in addition to the names in `keras_private.NAMES`.
MODULES = r"keras\.src|tensorflow\.python"


def _pattern(name):
    """Makes the pattern of a private name: a module, or an attribute that is called, read or overridden."""
    return rf"\.{name}\b|^ +def {name}\b|\"{name}\"" if name.startswith("_") else rf"\b{name}\b"


@pytest.mark.parametrize(
    "path",
    [path for path in _files() if path.name != "keras_private.py"],
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
