"""Loads `.keras` files that somebody else made."""

import json
import re
import zipfile
from pathlib import Path

import h5py
import keras

_MEMBERS = {"config.json", "metadata.json", "model.weights.h5"}
# What networks are made of, as configurations name it.
_MODULES = re.compile(
    r"keras(\.src)?(\.(activations|constraints|dtype_policies|initializers|layers|losses|metrics|models|ops|optimizers"
    r"|quantizers|random|regularizers)(\..*)?)?"
)
# They bring code of their own, or read files that their configuration names.
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
    """Loads a GAN or another model from a file that somebody else made.

    As `keras.saving.load_model(filepath, compile=False)`, and refuses, before anything is built from the file:

    - what is no `.keras` file by its content, such as HDF5, whose loader has no safe mode;
    - archives with other members than Keras writes for a model without assets, or with compressed ones;
    - layers that bring code (`Lambda`, even if `keras.config.enable_unsafe_deserialization()` was called), that read
      other files, or that neither Keras nor keras_gan has and nobody registered;
    - weights that lie elsewhere than in the file, or that take more memory than they take in it.

    No code of the file runs, and no other file is read or written. How large a network is and how long it takes is not
    looked at.

    Args:
        filepath: Path that ends in `.keras`.
        compile: Bool, whether to load also what the model was compiled with, such as its metrics and their features,
            which is checked likewise. Defaults to False.

    Returns:
        `keras.Model`, not compiled by default.

    Raises:
        ValueError: If there is no such file, it is refused, or it can't be read.
    """
    filepath = Path(filepath)
    try:
        if filepath.suffix != ".keras":
            raise ValueError("Its name does not end in .keras.")
        if not filepath.is_file():
            raise ValueError("There is no such file.")
        if not zipfile.is_zipfile(filepath):
            raise ValueError("It is not a zip archive, as Keras writes.")
        with zipfile.ZipFile(filepath) as archive:
            _check_members(archive)
            _check_config(json.loads(archive.read("config.json")), compile)
            with archive.open("model.weights.h5") as content, h5py.File(content, "r") as weights:
                _check_weights(weights)
        return keras.saving.load_model(filepath, compile=bool(compile), safe_mode=True)
    # Broken content makes parsers and constructors raise whatever they come across.
    except Exception as error:
        # Keras's messages go on with the whole configuration, and say at their end what happened inside.
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
        # Stored ones are no larger than the archive.
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise ValueError(f"{member.filename} must be stored as it is, as Keras does. It is compressed.")


def _check_config(config, compile):
    if not isinstance(config, dict):
        raise ValueError("Its config.json describes no model.")
    # Unless it is asked for, what it was trained by is not built.
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
    # Keras writes no module for what was registered, and its own classes without a package.
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
            return f"Its weights must be arrays of numbers, stored in full. {name!r} is none."
        return None

    # Links first: the second opens what they lead to. An error must not be raised inside h5py's visits.
    problem = weights.visititems_links(linked) or weights.visititems(foreign)
    if problem:
        raise ValueError(problem)
