"""Runs a written file, as a device would, beside the Keras generator."""

import numpy as np
from keras import ops

from keras_gan.export import convert

_N = 32


def import_interpreter():
    """`ai_edge_litert`'s interpreter, the runtime of devices.

    Raises:
        ImportError: If it is missing; the message says what to install.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise ImportError(
            "A .tflite file is checked by running it, which needs ai-edge-litert. Run: pip install 'keras-gan[export]'"
        ) from error
    return Interpreter


def errors(run, generator, prior, tolerance):
    """Compares a file's output with the generator's on fresh latents.

    Args:
        run: Function of a NumPy array `(1, latent_dim)` that returns the file's output `(1, ...)`.
        generator: The Keras generator.
        prior: `keras_gan.priors.Prior` that latents are drawn from.
        tolerance: Float, the largest absolute difference allowed, for outputs in [-1, 1]; outputs of a larger range
            may differ in proportion.

    Returns:
        The largest and the mean absolute difference, floats.

    Raises:
        ValueError: If the outputs differ by more than the tolerance, in shape, or are not finite.
    """
    latents = ops.convert_to_numpy(prior.sample(_N))
    expected = np.concatenate([ops.convert_to_numpy(generator(z[None], training=False)) for z in latents])
    received = np.concatenate([run(z[None]) for z in latents])
    if received.shape != expected.shape:
        raise ValueError(f"The file gives shape {received.shape[1:]}, the generator {expected.shape[1:]}.")
    if not np.isfinite(received).all():
        raise ValueError("The file gives values that are NaN or infinite.")
    difference = np.abs(received.astype("float64") - expected)
    scale = max(1.0, float(np.abs(expected).max()))
    if difference.max() > tolerance * scale:
        raise ValueError(
            f"The file differs from the generator by up to {difference.max():.2g}; {tolerance * scale:.2g} is allowed."
        )
    return float(difference.max()), float(difference.mean())


def saved_model_runner(folder):
    """Loads a SavedModel and returns a function from latents to its `generate` output."""
    import tensorflow as tf

    module = tf.saved_model.load(str(folder))
    generate = module.signatures[convert.SIGNATURE]

    def run(latent):
        # The module must live as long as its signature.
        assert module is not None
        return generate(**{convert.INPUT: tf.constant(latent)})[convert.OUTPUT].numpy()

    return run


def tflite_runner(path):
    """Loads a .tflite file and returns a function from latents to its `generate` output.

    Raises:
        ValueError: If the file has another signature or needs operations that devices lack.
    """
    interpreter = import_interpreter()(model_path=str(path))
    operations = {op["op_name"] for op in interpreter._get_ops_details()}
    foreign = sorted(op for op in operations if op.startswith("Flex") or op in ("CUSTOM", "VAR_HANDLE"))
    if foreign:
        raise ValueError(f"The file has operations that devices lack: {', '.join(foreign)}.")
    expected = {convert.SIGNATURE: {"inputs": [convert.INPUT], "outputs": [convert.OUTPUT]}}
    received = interpreter.get_signature_list()
    if received != expected:
        raise ValueError(f"The file must have the signature {expected}. Received: {received}.")
    generate = interpreter.get_signature_runner(convert.SIGNATURE)
    return lambda latent: generate(**{convert.INPUT: latent})[convert.OUTPUT]
