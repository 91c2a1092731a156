"""A log of each epoch's metrics, as lines of JSON."""

import json

import keras

from keras_gan.checks import check_path
from keras_gan.saving import replacing


class MetricsLog(keras.callbacks.Callback):
    """Log of each epoch, one line of JSON each: `{"epoch": 0, "generator_loss": 0.7, ...}`.

    A resumed run keeps the lines of earlier epochs.

    Args:
        path: Path of the file; its folder is made if it is missing.

    Raises:
        ValueError: If `path` is a URL, such as `gs://...`.

    Example:

    ```python
    gan = keras_gan.GAN(
        keras_gan.architectures.mlp_generator((2,), latent_dim=4, units=(64,)),
        keras_gan.architectures.mlp_discriminator((2,), units=(64,)),
    )
    gan.compile()
    log = keras_gan.callbacks.MetricsLog("runs/points/metrics.jsonl")
    gan.fit(np.random.default_rng(0).normal(size=(1024, 2)), batch_size=64, epochs=20, callbacks=[log])
    losses = [epoch["generator_loss"] for epoch in keras_gan.callbacks.read_metrics("runs/points/metrics.jsonl")]
    ```
    """

    def __init__(self, path):
        super().__init__()
        self.path = check_path("path", path)

    def on_train_begin(self, logs=None):
        self.path.parent.mkdir(parents=True, exist_ok=True)

    def on_epoch_end(self, epoch, logs=None):
        lines = [line for line in read_metrics(self.path) if line["epoch"] < epoch]
        lines.append({"epoch": epoch, **{name: float(value) for name, value in (logs or {}).items()}})
        with replacing(self.path) as part:
            part.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def read_metrics(path):
    """Reads the file of a `MetricsLog`.

    Args:
        path: Path of the file.

    Returns:
        List of dicts, names of logs to floats, one for each epoch; empty if there is no such file.

    Raises:
        ValueError: If `path` is a URL, such as `gs://...`.

    Example:

    ```python
    gan = keras_gan.GAN(
        keras_gan.architectures.mlp_generator((2,), latent_dim=4, units=(64,)),
        keras_gan.architectures.mlp_discriminator((2,), units=(64,)),
    )
    gan.compile()
    log = keras_gan.callbacks.MetricsLog("runs/points/metrics.jsonl")
    gan.fit(np.random.default_rng(0).normal(size=(1024, 2)), batch_size=64, epochs=20, callbacks=[log])
    losses = [epoch["generator_loss"] for epoch in keras_gan.callbacks.read_metrics("runs/points/metrics.jsonl")]
    ```
    """
    path = check_path("path", path)
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []
