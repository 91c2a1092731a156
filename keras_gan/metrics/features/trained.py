"""Features that are trained on the user's images once, and cached on disk."""

import hashlib
import itertools
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

import keras
import numpy as np

from keras_gan import saving
from keras_gan.saving.home import keras_home

BATCH = 64


def kept(name, settings, train):
    """Returns the cached model of these settings, or trains and caches it.

    Args:
        name: String, the kind of model, a prefix of its file name.
        settings: String, all that the model depends on.
        train: Function without arguments that returns the model.
    """
    folder = keras_home() / "keras_gan"
    path = folder / f"{name}-{hashlib.sha256(settings.encode()).hexdigest()[:20]}.keras"
    if path.exists():
        try:
            return saving.load_untrusted(path)
        except Exception as error:
            warnings.warn(f"{path} can't be read and is made anew: {error}", stacklevel=3)
    model = train()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A separate folder: several processes may train the same model.
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            model.save(Path(scratch) / path.name)
            os.replace(Path(scratch) / path.name, path)
    except OSError as error:
        warnings.warn(f"The {name} was not kept and will be trained again: {error}", stacklevel=3)
    return model


def batches(n, epochs=None):
    """Yields the indices of each batch of `n` examples, in a fixed random order, for a number of epochs."""
    rng = np.random.default_rng(0)
    for _ in itertools.count() if epochs is None else range(epochs):
        order = rng.permutation(n)
        for i in range(0, n, BATCH):
            yield order[i : i + BATCH]


def repeat(step, steps, announcement):
    """Calls `step` repeatedly, and shows the time left once it is clear that the calls together take over 10
    seconds."""
    progress = None
    for done in range(1, steps + 1):
        step()
        if done == 1:  # It compiles.
            start = time.monotonic()
        if progress is None and done > 10 and (time.monotonic() - start) / (done - 1) * steps > 10:
            print(announcement)
            # Updates rarely if stdout is a file, which gets a new line for each update.
            progress = keras.utils.Progbar(steps, interval=0.2 if sys.stdout.isatty() else 10.0)
        if progress is not None:
            progress.update(done)
