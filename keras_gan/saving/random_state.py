"""Saves the state of seed generators, which Keras leaves out of its files."""

from keras import ops

_PREFIX = "seed_generator_"


def _seed_states(model):
    return [v for v in model.variables if v.name == "seed_generator_state"]


def save(model, store):
    """Saves the state of every seed generator of `model`, including those of dropout, to a Keras weight store."""
    for i, variable in enumerate(_seed_states(model)):
        store[f"{_PREFIX}{i}"] = ops.convert_to_numpy(variable.value)


def load(model, store):
    """Restores the state from `save`, and returns the rest of the store as a dict."""
    for i, variable in enumerate(_seed_states(model)):
        variable.assign(store[f"{_PREFIX}{i}"])
    # A Keras weight store has keys(), but can't be iterated.
    return {key: store[key] for key in list(store.keys()) if not key.startswith(_PREFIX)}
