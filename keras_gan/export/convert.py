"""A Keras generator as a SavedModel or as the bytes of a .tflite file. All that uses TensorFlow's converter is here."""

import contextlib
import logging
import os
import re
import sys
import tempfile

import keras

SIGNATURE = "generate"
OUTPUT = "image"


def signature(latent_dim, labels, batch):
    """The inputs of `generate` by name: shape and dtype of the latent and, for a condition on them, of the labels."""
    inputs = {"latent": ((batch, latent_dim), "float32")}
    return {**inputs, "labels": ((batch,), "int32")} if labels else inputs


def write_saved_model(generator, inputs, folder):
    """Writes a SavedModel with the signatures `serving_default` and `generate`, alike.

    Args:
        generator: Built `keras.Model`.
        inputs: What `signature` returns; a batch of None allows any.
        folder: Path.
    """
    import tensorflow as tf

    def generate(*args):
        return {OUTPUT: generator(args[0] if len(args) == 1 else list(args), training=False)}

    archive = keras.export.ExportArchive()
    archive.track(generator)
    specs = [tf.TensorSpec(shape, dtype, name=name) for name, (shape, dtype) in inputs.items()]
    archive.add_endpoint(SIGNATURE, generate, input_signature=specs)
    with quiet():
        archive.write_out(folder, verbose=False)


def to_tflite(generator, inputs):
    """Converts to .tflite: float32, builtin operations only, the signature `generate`.

    Args:
        generator: Built `keras.Model`.
        inputs: What `signature` returns, with a static batch: with a dynamic one every transposed convolution leaves
            the fast path.

    Returns:
        Bytes.

    Raises:
        ValueError: If the generator has operations that .tflite lacks; the message names them.
    """
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        write_saved_model(generator, inputs, folder)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[SIGNATURE])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        try:
            with quiet():
                return converter.convert()
        except Exception as error:
            missing = sorted(set(re.findall(r"\btf\.(\w+)", str(error))) - {"lite"})
            raise ValueError(
                f"generator must consist of operations that .tflite has. Received: {', '.join(missing) or str(error)}. "
                "Replace the layers that use them, or export with format='tf_saved_model'."
            ) from error


@contextlib.contextmanager
def quiet():
    """Keeps the converter's progress notes, written by Python and by C++, out of the user's terminal."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    sys.stderr.flush()
    saved = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
        sys.stderr.flush()
        os.dup2(saved, 2)
        os.close(saved)
