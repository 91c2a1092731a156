"""Runs a written file, as a device would, beside the Keras generator."""

import numpy as np
from keras import ops

from keras_gan.checks import check_sample_labels
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


def errors(run, generator, prior, condition, tolerance):
    """Compares a file's output with the generator's on fresh latents.

    Args:
        run: Function of NumPy arrays, a latent `(1, latent_dim)` and, for a condition on them, labels `(1,)`, that
            returns the file's output `(1, ...)`.
        generator: The Keras generator.
        prior: `keras_gan.priors.Prior` that latents are drawn from.
        condition: `keras_gan.conditions.Condition`.
        tolerance: Float, the largest absolute difference allowed, for outputs in [-1, 1]; outputs of a larger range
            may differ in proportion.

    Returns:
        The largest and the mean absolute difference, floats.

    Raises:
        ValueError: If the outputs differ by more than the tolerance, in shape, or are not finite.
    """
    latents = ops.convert_to_numpy(prior.sample(_N))
    labels = check_sample_labels(None, _N, condition.num_classes)
    expected, received = [], []
    for i in range(_N):
        part = [x[i : i + 1] for x in (latents, labels) if x is not None]
        expected.append(ops.convert_to_numpy(generator(part if len(part) > 1 else part[0], training=False)))
        received.append(run(*part))
    expected, received = np.concatenate(expected), np.concatenate(received)
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


def saved_model_runner(folder, inputs):
    """Loads a SavedModel and returns a function from the inputs of `generate` to its output."""
    import tensorflow as tf

    module = tf.saved_model.load(str(folder))
    generate = module.signatures[convert.SIGNATURE]

    def run(*args, module=module):  # The module must live as long as its signature.
        return generate(**dict(zip(inputs, map(tf.constant, args), strict=True)))[convert.OUTPUT].numpy()

    return run


def tflite_runner(path, inputs):
    """Loads a .tflite file and returns a function from the inputs of `generate` to its output.

    Raises:
        ValueError: If the file has another signature or needs operations that devices lack.
    """
    interpreter = import_interpreter()(model_path=str(path))
    operations = {op["op_name"] for op in interpreter._get_ops_details()}
    foreign = sorted(op for op in operations if op.startswith("Flex") or op in ("CUSTOM", "VAR_HANDLE"))
    if foreign:
        raise ValueError(f"The file has operations that devices lack: {', '.join(foreign)}.")
    expected = {convert.SIGNATURE: {"inputs": sorted(inputs), "outputs": [convert.OUTPUT]}}
    received = {k: {key: sorted(v) for key, v in s.items()} for k, s in interpreter.get_signature_list().items()}
    if received != expected:
        raise ValueError(f"The file must have the signature {expected}. Received: {received}.")
    generate = interpreter.get_signature_runner(convert.SIGNATURE)
    return lambda *args: generate(**dict(zip(inputs, args, strict=True)))[convert.OUTPUT]
