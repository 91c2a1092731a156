"""A picture of samples after each epoch."""

import keras

from keras_gan import images
from keras_gan.checks import check_integer, check_path, first_examples


class SampleGrid(keras.callbacks.Callback):
    """Picture of the generator's output for the same latents, or images, after each epoch.

    Writes `samples/epoch_0001.png` and so on to `log_dir`, and the same pictures for TensorBoard, next to the scalars
    of `keras.callbacks.TensorBoard(log_dir)`.

    Args:
        log_dir: Path of the run's folder; made if it is missing.
        n: Int > 0, how many images. Defaults to `64`.
        columns: Int > 0. Defaults to None, as square as possible.
        seed: Int >= 0, for the latents. Defaults to `0`.
        given: Array `(n, ...)`, the condition of each image, as in `GAN.sample`. Defaults to None: with labels, all
            classes in turn. Required with the condition `Vector`.
        data: For a model that translates images, such as `Pix2Pix`: data as `fit` takes them. The first `n` pairs are
            drawn, with source, output and target side by side. For `CycleGAN`, images of each domain are drawn, with
            their translations and reconstructions. Fewer are drawn if there are fewer. Defaults to None.

    Raises:
        ValueError: If a number is out of range, or `log_dir` is a URL, such as `gs://...`; when training begins, if the
            model makes no images with 1 or 3 channels, or `given` or `data` do not fit it.

    Example:

    ```python
    gan = keras_gan.GAN(
        keras_gan.architectures.mlp_generator((8, 8, 1), latent_dim=4, units=(64,)),
        keras_gan.architectures.mlp_discriminator((8, 8, 1), units=(64,)),
    )
    gan.compile()
    images = np.random.default_rng(0).uniform(-1, 1, (256, 8, 8, 1))
    grid = keras_gan.callbacks.SampleGrid("runs/noise", n=16)
    gan.fit(images, batch_size=64, epochs=20, callbacks=[grid])
    ```
    """

    def __init__(self, log_dir, n=64, columns=None, seed=0, given=None, data=None):
        super().__init__()
        self.log_dir = check_path("log_dir", log_dir)
        self.n = check_integer("n", n)
        self.columns = None if columns is None else check_integer("columns", columns)
        self.seed = check_integer("seed", seed, 0, 2**32 - 1)
        self.given = given
        self.data = data
        self._pairs = None
        self._writer = None

    def on_train_begin(self, logs=None):
        import tensorflow as tf

        if self.data is not None:
            self._pairs = first_examples(self.data, self.n)
        wanted = "SampleGrid draws images (height, width, channels) with 1 or 3 channels."
        try:
            shape = self._draw().shape[1:]
        except (NotImplementedError, ValueError) as error:
            raise ValueError(f"{wanted} {error}") from error
        if len(shape) != 3 or shape[-1] not in (1, 3):
            raise ValueError(f"{wanted} Received: images of {shape}.")
        (self.log_dir / "samples").mkdir(parents=True, exist_ok=True)
        self._writer = tf.summary.create_file_writer(str(self.log_dir / "train"))

    def on_epoch_end(self, epoch, logs=None):
        import tensorflow as tf

        picture = images.grid(self._draw(), self.columns)
        images.save(self.log_dir / "samples" / f"epoch_{epoch + 1:04d}.png", picture)
        with self._writer.as_default():
            tf.summary.image("samples", picture[None], step=epoch)
        self._writer.flush()

    def _draw(self):
        if self._pairs is not None:
            return self.model.preview(len(self._pairs[0]), given=self._pairs)
        return self.model.preview(self.n, seed=self.seed, given=self.given)

    def on_train_end(self, logs=None):
        self._writer.close()
