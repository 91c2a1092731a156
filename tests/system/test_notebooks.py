"""The notebooks are what their guides give. `make notebooks` makes and runs them."""

import re

import nbformat
import pytest

import notebooks

FOLDER, NAMES = notebooks.NOTEBOOKS, notebooks.NAMES


def read(name):
    return nbformat.read(FOLDER / f"{name}.ipynb", 4)


def sources(name, kind):
    return [cell.source for cell in read(name).cells if cell.cell_type == kind]


def test_there_are_five():
    assert len(NAMES) == 5 and sorted(path.stem for path in FOLDER.glob("*.ipynb")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_what_its_guide_gives(name):
    nbformat.validate(read(name))
    # Its cells have no outputs, and were not run.
    assert read(name).cells == notebooks.make(name).cells, "run: make notebooks"


@pytest.mark.parametrize("name", NAMES)
def test_cells_are_the_python_of_the_guide(name):
    text = (notebooks.GUIDES / f"{name}.md").read_text(encoding="utf-8")
    blocks = [block.strip() for block in re.findall(r"^```python\n(.*?)^```", text, re.S | re.M)]
    setup, *cells = sources(name, "code")
    # Before anything imports TensorFlow.
    assert "TF_ENABLE_ONEDNN_OPTS" in setup and "%pip install" in setup and "import keras" not in setup
    given = len(cells) - len(blocks)
    assert cells[given:] == blocks and given == (name in notebooks._GIVEN)
    # Commands are to be read.
    assert "\n".join(sources(name, "markdown")).count("```shell") == text.count("```bash")


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name):
    text = "\n".join(sources(name, "markdown"))
    anchors = {title.replace(" ", "-") for title in re.findall(r"^#+ (.+)$", text, re.M)}
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 1
    for link in links:
        path, _, anchor = link.partition("#")
        if not path:
            assert anchor in anchors, link
        elif not link.startswith("https://"):
            assert (FOLDER / path).is_file(), link
