"""Loads untrusted `.keras` files."""

import json
import re
import zipfile
from pathlib import Path

import h5py
import keras

from keras_gan.checks.values import is_address

_MEMBERS = {"config.json", "metadata.json", "model.weights.h5"}
# Modules of the parts of networks, as named in configurations.
_MODULES = re.compile(
    r"keras(\.src)?(\.(activations|constraints|dtype_policies|initializers|layers|losses|metrics|models|ops|optimizers"
    r"|quantizers|random|regularizers)(\..*)?)?"
)
# These contain code, or read files named in their configuration.
_REFUSED = {
    "FlaxLayer",
    "IntegerLookup",
    "JaxLayer",
    "Lambda",
    "StringLookup",
    "TFSMLayer",
    "TextVectorization",
    "TorchModuleWrapper",
    "__lambda__",
    "__typespec__",
    "keras_gan>InceptionV3",
}


def load_untrusted(filepath, compile=False):
    """Loads a GAN or another model from an untrusted file.

    Works as `keras.saving.load_model(filepath, compile=False)`, but refuses, before anything is built from the file:

    - files whose content is not that of a `.keras` file, such as HDF5, whose loader has no safe mode;
    - archives with members that Keras does not write for a model without assets, or with compressed members;
    - layers that contain code (`Lambda`, even if `keras.config.enable_unsafe_deserialization()` was called), that read
      other files, or that are neither from Keras or keras_gan nor registered;
    - weights that lie outside of the file, or that take more bytes in memory when they are loaded than in the file.

    No code of the file runs, and no other file is read or written. The size and the speed of a network are not checked.

    Args:
        filepath: Path that ends in `.keras`.
        compile: Bool, whether to also load the compiled parts of the model, such as its metrics and their features,
            with the same checks. Defaults to False.

    Returns:
        `keras.Model`, not compiled by default.

    Raises:
        ValueError: If there is no such file, it is refused, or it can't be read.

    Example:

    ```python
    gan = keras_gan.GAN(
        keras_gan.architectures.mlp_generator((2,), latent_dim=4, units=(8,)),
        keras_gan.architectures.mlp_discriminator((2,), units=(8,)),
    )
    gan.save("gan.keras")
    loaded = keras_gan.saving.load_untrusted("gan.keras")
    loaded.sample(3).shape  # (3, 2)
    ```
    """
    path = Path(filepath)
    try:
        if is_address(filepath):
            raise ValueError("It is an address: download the file first.")
        if path.suffix != ".keras":
            raise ValueError("Its name does not end in .keras.")
        if not path.is_file():
            raise ValueError("There is no such file.")
        if not zipfile.is_zipfile(path):
            raise ValueError("It is not a zip archive, but Keras writes one.")
        with zipfile.ZipFile(path) as archive:
            _check_members(archive)
            _check_config(json.loads(archive.read("config.json")), compile)
            with archive.open("model.weights.h5") as content, h5py.File(content, "r") as weights:
                _check_weights(weights)
        return keras.saving.load_model(path, compile=bool(compile), safe_mode=True)
    # Parsers and constructors may raise anything on broken content.
    except Exception as error:
        # Keras's messages contain the whole configuration, and the cause at the end.
        inner = str(error).rpartition("Exception encountered:")[2]
        reason = (inner.strip() or type(error).__name__).splitlines()[0][:300]
        raise ValueError(
            f"filepath must be a .keras file that is whole and safe to load. Received: {filepath}. {reason}"
        ) from error


def _check_members(archive):
    names = [member.filename for member in archive.infolist()]
    if sorted(names) != sorted(_MEMBERS):
        raise ValueError(f"It must hold {', '.join(sorted(_MEMBERS))}, once each. It holds {', '.join(names[:10])}.")
    for member in archive.infolist():
        # Uncompressed members can't be larger than the archive.
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise ValueError(f"{member.filename} must be stored uncompressed, as Keras stores it. It is compressed.")


def _check_config(config, compile):
    if not isinstance(config, dict):
        raise ValueError("Its config.json describes no model.")
    # The training configuration is only built on request.
    todo = [value for key, value in config.items() if compile or key != "compile_config"]
    todo.append({key: config.get(key) for key in ("class_name", "module", "registered_name")})
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            if "class_name" in value:
                _check_class(value)
            todo.extend(value.values())
        elif isinstance(value, list):
            todo.extend(value)


def _check_class(config):
    name, module = str(config["class_name"]), config.get("module")
    registered = config.get("registered_name") or name
    shown = str(config.get("config")) if name == "function" else name
    if not {name, registered, shown}.isdisjoint(_REFUSED):
        raise ValueError(f"It has a {shown}, which can run code or read other files.")
    is_internal = name.startswith("__") and name.endswith("__")
    if name == "function" and ">" in shown:
        registered = shown
    # Keras writes no module for registered classes, and no package for its own.
    is_known = ">" not in registered and (module in (None, "builtins") or _MODULES.fullmatch(str(module)))
    if not (is_internal or is_known or keras.saving.get_registered_object(registered)):
        named = registered if module in (None, "builtins") else f"{module}.{shown}"
        raise ValueError(f"It needs {named}, which is not registered. If you have its code, import that before.")


def _check_weights(weights):
    def linked(name, link):
        if not isinstance(link, h5py.HardLink):
            return f"Its weights must lie in the file. {name!r} is a {type(link).__name__}."
        return None

    def foreign(name, array):
        if not isinstance(array, h5py.Dataset):
            return None
        if array.external or array.is_virtual:
            return f"Its weights must lie in the file. {name!r} lies elsewhere."
        if array.dtype.hasobject or array.nbytes > array.id.get_storage_size():
            return f"Its weights must be arrays of numbers, stored in full. {name!r} is not."
        return None

    # Links first: the second visit opens their targets. Errors must not be raised inside h5py's visits.
    problem = weights.visititems_links(linked) or weights.visititems(foreign)
    if problem:
        raise ValueError(problem)
