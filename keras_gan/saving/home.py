"""The folder of Keras's caches."""

import os
from pathlib import Path


def keras_home():
    """Returns the folder of Keras's caches: `KERAS_HOME`, or `~/.keras`."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
