"""Notebooks of guides: `make notebooks` writes them into `notebooks/`, and runs them as a newcomer would."""

import os
import re
import sys
import tempfile
import time
from pathlib import Path

import jupytext
import nbformat

GUIDES = Path(__file__).parent / "guides"
NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
NAMES = ("arrays", "classes", "folder", "metrics", "pictures")

_SETUP = """
import importlib.util
import os

# Set before TensorFlow is imported: on x86 processors without AVX-512, training steps are up to twice as fast.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if importlib.util.find_spec("keras_gan") is None:
    %pip install --quiet "..[digits,export]"
"""
# What a guide takes as given.
_GIVEN = {
    "folder": """
# Pictures to try this with, unless there is a folder of yours.
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

if not Path("photos").exists():
    Path("photos").mkdir()
    rng = np.random.default_rng(0)
    for i in range(400):
        picture = Image.new("RGB", (64, 64), (230, 240, 250))
        (x, y), radius = rng.integers(20, 44, 2), rng.integers(8, 20)
        color = tuple(int(c) for c in rng.integers(0, 200, 3))
        ImageDraw.Draw(picture).ellipse((x - radius, y - radius, x + radius, y + radius), color)
        picture.save(f"photos/{i}.png")
"""
}


def make(name):
    """Makes the notebook of a guide: its text and its Python, after cells for what it takes as given."""
    text = (GUIDES / f"{name}.md").read_text(encoding="utf-8")
    # Jupytext would run what it knows as the language of a cell, such as bash.
    text = re.sub(r"^```bash$", "```shell", text, flags=re.M)
    notebook = jupytext.reads(text, {"extension": ".md", "split_at_heading": True})
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"\]\((?!https:)([^)#]*)(#[^)]*)?\)", _link, cell.source)
    made = f"*Made from [this guide](../docs/guides/{name}.md) by `make notebooks`.*"
    notebook.cells[0].source = notebook.cells[0].source.replace("\n\n", f"\n\n{made}\n\n", 1)
    given = [code for code in (_SETUP, _GIVEN.get(name)) if code]
    notebook.cells[1:1] = [nbformat.v4.new_code_cell(code.strip()) for code in given]
    for i, cell in enumerate(notebook.cells):
        # Those that jupytext makes are random, and say how far apart cells are in the guide.
        cell.id, cell.metadata = f"{name}-{i}", {}
    python = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata = {"kernelspec": python, "language_info": {"name": "python"}}
    return nbformat.from_dict(notebook)


def _link(match):
    path, anchor = match[1], match[2] or ""
    if not path:
        # Jupyter keeps the capital that a heading begins with.
        return f"](#{anchor[1:].capitalize()})"
    return f"]({os.path.relpath(GUIDES / path, NOTEBOOKS)}{anchor})"


def run(name):
    """Runs a notebook in a new kernel and an empty folder, and raises the first error of a cell."""
    from nbclient import NotebookClient

    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", 4)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=600, resources={"metadata": {"path": folder}}).execute()


if __name__ == "__main__":
    NOTEBOOKS.mkdir(exist_ok=True)
    for name in NAMES:
        nbformat.write(make(name), NOTEBOOKS / f"{name}.ipynb")
    for name in sys.argv[1:] or NAMES:
        start = time.monotonic()
        run(name)
        print(f"notebooks/{name}.ipynb ran in {time.monotonic() - start:.0f} s", flush=True)
