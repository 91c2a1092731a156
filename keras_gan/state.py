"""Saving, where Keras's own leaves something out or stands in the way: the random state, and what it makes to save."""

import contextlib

from keras import ops

_PREFIX = "seed_generator_"


def _seed_states(model):
    return [v for v in model.variables if v.name == "seed_generator_state"]


def save(model, store):
    """Writes the state of every seed generator of `model`, dropout layers included, into a Keras weight store."""
    for i, variable in enumerate(_seed_states(model)):
        store[f"{_PREFIX}{i}"] = ops.convert_to_numpy(variable.value)


def load(model, store):
    """Restores what `save` wrote and returns the rest of the store as a dict."""
    for i, variable in enumerate(_seed_states(model)):
        variable.assign(store[f"{_PREFIX}{i}"])
    # A Keras weight store has keys(), but can't be iterated.
    return {key: store[key] for key in list(store.keys()) if not key.startswith(_PREFIX)}


def remember_what_keras_skips():
    """Makes Keras look up once which attributes it leaves out of files.

    Keras 3.15 means to remember, but writes the answer under one name and asks for it under another
    (`get_attr_skipset` in its `saving_lib.py`). So it makes an optimizer each time it saves one: 70 kB that TensorFlow
    never frees, and on JAX an array on all processes, for which a process that saves alone waits in vain.
    `tests/test_gan.py` notices when Keras remembers.
    """
    # Names that aren't public: without them saving works as Keras has it.
    with contextlib.suppress(ImportError, AttributeError):
        from keras.src.backend.common import global_state
        from keras.src.saving import saving_lib

        if global_state.get_global_attribute("saving_attr_skiplist_Optimizer") is None:
            skipped = saving_lib.get_attr_skipset("Optimizer")
            global_state.set_global_attribute("saving_attr_skiplist_Optimizer", skipped)
