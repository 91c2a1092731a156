"""A Keras generator as a SavedModel or as the bytes of a .tflite file. All that uses TensorFlow's converter is here."""

import contextlib
import logging
import os
import re
import sys
import tempfile

import keras

SIGNATURE = "generate"
INPUT = "latent"
OUTPUT = "image"


def write_saved_model(generator, latent_dim, folder):
    """Writes a SavedModel with the signatures `serving_default` and `generate`, latent -> image, of any batch size."""
    _archive(generator, latent_dim, folder, batch=None)


def to_tflite(generator, latent_dim):
    """Converts to .tflite: float32, a batch of 1, builtin operations only, signature `generate(latent) -> image`.

    A static batch on purpose: with a dynamic one every transposed convolution leaves the fast path.

    Returns:
        Bytes.

    Raises:
        ValueError: If the generator has operations that .tflite lacks; the message names them.
    """
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        _archive(generator, latent_dim, folder, batch=1)
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


def _archive(generator, latent_dim, folder, batch):
    import tensorflow as tf

    def generate(latent):
        return {OUTPUT: generator(latent, training=False)}

    archive = keras.export.ExportArchive()
    archive.track(generator)
    signature = [tf.TensorSpec((batch, latent_dim), tf.float32, name=INPUT)]
    archive.add_endpoint(SIGNATURE, generate, input_signature=signature)
    with quiet():
        archive.write_out(folder, verbose=False)


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
