"""The pages that the site is built with, without Sphinx: `make docs` builds it, and fails on any warning."""

import inspect
import re

import pages
import pytest

import keras_gan


@pytest.mark.parametrize("room", list(pages.modules()), ids=lambda room: room.__name__)
def test_every_public_name_is_on_the_page_of_its_room(room):
    names = pages.names(room)
    kinds = ["class" if inspect.isclass(getattr(room, name)) else "function" for name in names]
    shown = re.findall(r"^\.\. auto(class|function):: (\S+)$", pages.reference(room), re.M)
    assert shown == [(kind, f"{room.__name__}.{name}") for kind, name in zip(kinds, names, strict=True)]
    assert {entry for _, entry in shown} <= set(pages.entries())


def test_a_class_shows_the_methods_that_it_documents():
    methods = pages.methods
    assert {"compile", "sample", "export", "latent_dim"} <= set(methods(keras_gan.GAN))
    # Of Keras, of a base that has an entry of its own, or without a docstring.
    assert not {"predict", "add_loss", "players", "get_config", "call"} & set(methods(keras_gan.GAN))
    assert methods(keras_gan.penalties.Penalty) == ["build", "__call__"] and not methods(keras_gan.penalties.R1)
    # Those of `Settings`, which has no entry.
    assert {"build", "reasons"} <= set(methods(keras_gan.settings.ImageSettings))


def test_sections_of_docstrings_become_fields():
    docstring = """Adds.

Args:
    a: Int. One of:

        - 1
    *rest: More,
        in two lines: both.

Between.

Example:

```python
add(1)
```

Returns:
    Int: the sum.
"""
    assert (
        pages.markdown(docstring)
        == """Adds.

:Args:
    - `a`: Int. One of:

        - 1
    - `*rest`: More,
        in two lines: both.

Between.

:Example:

    ```python
    add(1)
    ```

:Returns:
    Int: the sum.
"""
    )


def test_docstrings_have_known_sections_alone():
    for entry in pages.entries():
        thing = keras_gan
        for name in entry.split(".")[1:]:
            thing = getattr(thing, name)
        docstring = inspect.getdoc(thing) + "\n"
        headers = re.findall(r"^([A-Z][A-Za-z ]+):\n\n?(?: {4}[^ \n]|```)", docstring, re.M)
        assert set(headers) <= set(pages.SECTIONS), entry
        assert len(re.findall(r"^:[A-Z][A-Za-z ]+:$", pages.markdown(docstring), re.M)) == len(headers), entry


def test_every_recipe_is_shown_with_its_code():
    recipes = sorted((pages.ROOT / "recipes").glob("*.py"))
    assert len(recipes) == 20
    for path in recipes:
        page = pages.recipe(path)
        assert f"{{literalinclude}} ../../recipes/{path.name}" in page
        assert (f"]({path.stem}.png)" in page) == (pages.DOCS / "recipes" / f"{path.stem}.png").exists()
