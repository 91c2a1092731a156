"""Writing a generator: convert, check the written file, then put it in its place."""

import os
import shutil
import tempfile
from pathlib import Path

from keras_gan.checks import noise_size
from keras_gan.conditions import Unconditional
from keras_gan.export import convert, verify
from keras_gan.export.report import Report
from keras_gan.priors import Normal

_SUFFIXES = {".tflite": "litert", "": "tf_saved_model"}
_TOLERANCE = 1e-5


def export(generator, filepath, format=None, prior=None, condition=None):
    """Writes a generator as a SavedModel or a .tflite file and checks what was written.

    The file has one signature, `generate(latent) -> image`, float32 on both sides, or `generate(latent, labels)` with
    int32 labels for a condition on them. A SavedModel takes any batch, and has the same signature under the name
    `serving_default`, too; a .tflite file takes a batch of 1 and uses builtin operations only. The written file runs
    beside the Keras generator on fresh latents; nothing stays behind unless they agree to 1e-5.

    Args:
        generator: Built `keras.Model` from latents `(batch, latent_dim)` to data.
        filepath: Path to write. A .tflite file is replaced if it exists; a SavedModel's folder must be new or empty.
        format: `"tf_saved_model"` or `"litert"`. Defaults to None: by suffix, `.tflite` or none.
        prior: `keras_gan.priors.Prior` that the noise of the check is drawn from. Defaults to a standard normal.
        condition: `keras_gan.conditions.Condition` that the generator was trained with. Defaults to none.

    Returns:
        `Report`.

    Raises:
        ValueError: If the path's folder does not exist, the suffix is unknown, an operation can't be converted, or
            the file differs from the generator. No file is left then.
        FileExistsError: If a folder with files stands where the SavedModel should.
        ImportError: If a package is missing; the message says what to install.
    """
    filepath = Path(filepath)
    format = _check_format(filepath, format)
    condition = condition or Unconditional()
    size = noise_size(generator, prior, condition)
    prior = condition.complete(prior or Normal(size))
    if not filepath.parent.is_dir():
        raise ValueError(
            f"filepath must lie in a folder that exists. Received: {filepath}. Make {filepath.parent} first."
        )
    if format == "litert":
        if filepath.is_dir():
            raise ValueError(f"filepath must be a file. Received: {filepath}, which is a folder.")
        verify.import_interpreter()
    elif filepath.exists() and (not filepath.is_dir() or any(filepath.iterdir())):
        raise FileExistsError(
            f"filepath must be a new or an empty folder. Received: {filepath}, which is there already."
        )
    # Beside the target, so that the last step is a rename within one file system.
    labels, batch = condition.num_classes is not None, 1 if format == "litert" else None
    inputs = convert.signature(prior.latent_dim, labels, batch)
    with tempfile.TemporaryDirectory(dir=filepath.parent, prefix=f".{filepath.name}.") as folder:
        written = Path(folder) / filepath.name
        if format == "litert":
            written.write_bytes(convert.to_tflite(generator, inputs))
            with convert.quiet():
                run = verify.tflite_runner(written, inputs)
        else:
            convert.write_saved_model(generator, inputs, written)
            run = verify.saved_model_runner(written, inputs)
        try:
            with convert.quiet():
                max_error, mean_error = verify.errors(run, generator, prior, condition, _TOLERANCE)
        except ValueError as error:
            raise ValueError(f"The export failed its check and {filepath} was not written. {error}") from error
        _put(written, filepath)
    return Report(filepath, format, _size(filepath), generator.count_params(), max_error, mean_error)


def _check_format(filepath, format):
    if format is None:
        if filepath.suffix not in _SUFFIXES:
            raise ValueError(
                f"filepath must end in .tflite, or have no suffix for a SavedModel. Received: {str(filepath)!r}."
            )
        return _SUFFIXES[filepath.suffix]
    if format not in _SUFFIXES.values():
        raise ValueError(f"format must be 'tf_saved_model' or 'litert'. Received: {format!r}.")
    if format == "litert" and filepath.suffix != ".tflite":
        raise ValueError(f"filepath must end in .tflite for format='litert'. Received: {str(filepath)!r}.")
    return format


def _put(written, filepath):
    if filepath.is_dir():
        filepath.rmdir()
    if written.is_dir():
        shutil.move(written, filepath)
    else:
        os.replace(written, filepath)


def _size(path):
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file()) if path.is_dir() else path.stat().st_size
