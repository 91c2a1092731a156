"""Runs the examples of the docstrings, and compares the results that they state."""

import ast
import functools
import inspect
import io
import re
import tokenize

import keras
import numpy as np
import pages
import pytest
from PIL import Image

import keras_gan

THINGS = dict(pages.things())

# Keras and TensorFlow say so.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Limiting (epochs|steps_per_epoch) to:UserWarning"),
    pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run_functions_eagerly`:UserWarning"),
]


def blocks(thing):
    return re.findall(r"^```python\n(.*?)^```", inspect.cleandoc(thing.__doc__ or "") + "\n", re.S | re.M)


@functools.cache
def run(code):
    """Runs statements, and compares the value of each with the literal that a comment at its end states, if any.

    An example that two docstrings share runs once.
    """
    comments = {
        token.start[0]: token.string.removeprefix("#").strip()
        for token in tokenize.generate_tokens(io.StringIO(code).readline)
        if token.type == tokenize.COMMENT
    }
    names = {"__name__": "example", "keras": keras, "keras_gan": keras_gan, "np": np}
    compared = 0
    for statement in ast.parse(code).body:
        text = ast.unparse(statement)
        try:
            stated = ast.literal_eval(comments[statement.end_lineno])
        except (KeyError, SyntaxError, ValueError):
            exec(text, names)
            continue
        assert isinstance(statement, (ast.Assign, ast.Expr)), f"{text} has no value to compare"
        if isinstance(statement, ast.Assign):
            exec(text, names)
            text = ast.unparse(statement.targets[0])
        value = eval(text, names)
        assert agree(value, stated), f"{text} is {getattr(value, 'shape', value)!r}, not {stated!r}"
        compared += 1
    return compared


def agree(value, stated):
    """Compares a value with a literal. A tuple is the shape of a value that has one."""
    if isinstance(stated, tuple) and hasattr(value, "shape"):
        value = value.shape
    if isinstance(stated, (list, tuple)):
        return len(value) == len(stated) and all(map(agree, value, stated))
    if isinstance(stated, dict):
        return set(value) == set(stated) and all(agree(value[key], stated[key]) for key in stated)
    if isinstance(stated, float):
        return bool(np.isclose(value, stated, rtol=1e-3, atol=1e-6))
    return bool(value == stated)


@pytest.fixture(autouse=True)
def _somewhere_briefly(tmp_path, monkeypatch, briefly):
    """A folder with three photos in two classes; trainings of two steps."""
    for i, kind in enumerate(["cats", "cats", "dogs"]):
        (tmp_path / "photos" / kind).mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(i).integers(0, 255, (70, 90, 3)).astype("uint8")
        Image.fromarray(noise).save(tmp_path / "photos" / kind / f"{i}.jpg")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", THINGS)
def test_an_example_runs_and_states_what_comes_out(name):
    thing = THINGS[name]
    found = blocks(thing)
    assert found, f"{name} has no example"
    if inspect.isclass(thing):
        # Those of methods go on where that of the class ends.
        found += [block for method in vars(thing).values() if inspect.isfunction(method) for block in blocks(method)]
    run("\n".join(found))


def test_results_that_are_stated_wrongly_are_found():
    assert run("x = np.zeros((2, 3))\nx  # (2, 3)\nx.sum()  # 0.0\nlist(x[0])  # [0, 0, 0]\nx.ndim  # dimensions") == 3
    for wrong in (
        "np.zeros((2, 3))  # (3, 2)",
        "np.float32(20.1)  # 20.0",
        "x = np.zeros(2)  # (3,)",
        "[1, 2]  # [1]",
        "{'a': 1.0}  # {'a': 2.0}",
    ):
        with pytest.raises(AssertionError, match="not"):
            run(wrong)
