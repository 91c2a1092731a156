"""Pages that the site is built with beside those in this folder: the API reference, and a page for each recipe."""

import ast
import inspect
import re
import textwrap
import types
from pathlib import Path

import keras_gan

DOCS = Path(__file__).parent
ROOT = DOCS.parent
SECTIONS = (
    *("Args", "Attributes", "Call arguments", "Example", "Input and output shape", "Input shape", "Output shape"),
    *("Raises", "Reference", "Returns", "Yields"),
)
# A section's body is indented, or a block of code.
_SECTION = re.compile(rf"^({'|'.join(SECTIONS)}):\n((?:\n*    .*\n)+|\n+(?s:```.*?\n```)\n)", re.M)
_ITEM = re.compile(r"^([\w*][\w*, ]*): ", re.M)
_LISTS = ("Args", "Attributes", "Call arguments", "Raises")


def modules(module=keras_gan):
    """Yields the package and its public modules."""
    yield module
    for name in module.__all__:
        if inspect.ismodule(thing := getattr(module, name)):
            yield from modules(thing)


def names(module):
    """Lists the public classes and functions of a module."""
    return [name for name in module.__all__ if not inspect.ismodule(getattr(module, name))]


def things():
    """Yields the public classes and functions of all modules, each after its full name."""
    for module in modules():
        for name in names(module):
            yield f"{module.__name__}.{name}", getattr(module, name)


def methods(cls):
    """Lists the public methods and properties that a class documents, or a base in its room that is not public."""
    public = [thing for _, thing in things()]
    room = cls.__module__.split(".")[:2]
    bases = [base for base in cls.__mro__ if base.__module__.split(".")[:2] == room and base not in public]
    kinds = (types.FunctionType, classmethod, staticmethod, property)
    found = [
        name
        for base in [cls, *bases]
        for name, method in vars(base).items()
        if isinstance(method, kinds) and method.__doc__ and (name == "__call__" or not name.startswith("_"))
    ]
    return list(dict.fromkeys(found))


def bases(cls):
    """Lists the full names of the public classes that a class extends, without those that they extend themselves."""
    found = {name: base for name, base in things() if base in cls.__mro__[1:]}
    return [name for name, base in found.items() if not any(base in other.__mro__[1:] for other in found.values())]


def entries():
    """Yields the full name of everything that the API reference must have."""
    for name, thing in things():
        yield name
        if inspect.isclass(thing):
            yield from (f"{name}.{method}" for method in methods(thing))


def reference(module):
    """Makes the page of a module, where Sphinx's autodoc puts in signatures and docstrings."""
    lines = [f".. automodule:: {module.__name__}", ""]
    for name in names(module):
        thing = getattr(module, name)
        lines.append(f".. auto{'class' if inspect.isclass(thing) else 'function'}:: {module.__name__}.{name}")
        if inspect.isclass(thing) and (found := methods(thing)):
            lines.append(f"   :members: {', '.join(found)}")
        if inspect.isclass(thing) and bases(thing):
            lines.append("   :show-inheritance:")
        lines.append("")
    return "\n".join([f"# {module.__name__}", "", "```{eval-rst}", *lines, "```", ""])


def recipe(path):
    """Makes the page of a recipe: the title in its docstring, its picture, if there is one, and its code."""
    title = ast.get_docstring(ast.parse(path.read_text("utf-8"))).partition("\n")[0].rstrip(".")
    picture = f"![{title}]({path.stem}.png)\n\n" if (DOCS / "recipes" / f"{path.stem}.png").exists() else ""
    file = f"{{download}}`{path.name} <../../recipes/{path.name}>` (download); [all recipes](../recipes.md)"
    code = f"```{{literalinclude}} ../../recipes/{path.name}\n```\n"
    return f"# {path.name}\n\n{title}: {file}.\n\n{picture}{code}"


def write():
    """Writes all of these pages, where git ignores them, and removes old ones."""
    pages = {DOCS / "reference" / f"{module.__name__}.md": reference(module) for module in modules()}
    pages |= {DOCS / "recipes" / f"{path.stem}.md": recipe(path) for path in (ROOT / "recipes").glob("*.py")}
    for folder in {path.parent for path in pages}:
        folder.mkdir(exist_ok=True)
        for path in folder.glob("*.md"):
            path.unlink()
    for path, text in pages.items():
        path.write_text(text, encoding="utf-8")


def markdown(docstring):
    """Turns a docstring's sections, such as `Args:`, into Markdown: field lists, with a bullet for each argument."""

    def field(match):
        name, body = match[1], textwrap.dedent(match[2])
        if name in _LISTS:
            body = _ITEM.sub(r"- `\1`: ", body)
        return f":{name}:\n{textwrap.indent(body, '    ')}"

    return _SECTION.sub(field, docstring)
