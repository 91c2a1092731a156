"""Paired image translation: models that learn from pairs of source and target."""

import keras
from keras import ops

from keras_gan import backend, checks, health, images, metrics, networks
from keras_gan.duel import Duel
from keras_gan.export.export import export_translation
from keras_gan.game import get_reconstruction, reconstruct


@keras.saving.register_keras_serializable(package="keras_gan")
class Pix2Pix(Duel):
    """A generator that translates images, against a discriminator that judges pairs of source and target.

    Called on sources `(batch, height, width, channels)`, or in `predict`, it returns their translations.

    Args:
        generator: `keras.Model` from sources `(batch, height, width, channels)` in [-1, 1] to images of the
            same size, or larger by an integer factor, with any number of channels.
        discriminator: `keras.Model` from source and target, concatenated along the channels,
            `(batch, height, width, source_channels + target_channels)`, or from `[source, target]`, to logits
            `(batch, 1)` or a map of them `(batch, ..., 1)`: no sigmoid at its end. If targets are larger than sources,
            it gets enlarged sources.
        ema: Float in [0, 1), the momentum of a moving average of the generator's weights, as in `GAN`. Defaults to
            None, no average.
        seed: Int, makes the random numbers of training reproducible. Defaults to None, another seed for each run.
        **kwargs: `name` and `dtype`, as for any `keras.Model`.

    Raises:
        ValueError: If a network does not fit the other, or a number is out of range.
        TypeError: If a network is not a `keras.Model`.

    Attributes:
        source_shape: Tuple `(height, width, channels)`.
        data_shape: Tuple, the same for a target.
        ema_generator: `keras.Model`, the generator with averaged weights; None without `ema`.

    Example:

    ```python
    model = keras_gan.Pix2Pix(
        generator=keras_gan.architectures.unet_generator((64, 64, 3), width=16),
        discriminator=keras_gan.architectures.patch_discriminator((64, 64, 6), width=16),
    )
    model.compile()
    sources = np.random.uniform(-1, 1, (8, 64, 64, 3)).astype("float32")
    model.fit(sources, -sources, batch_size=4)
    model.predict(sources).shape  # (8, 64, 64, 3)
    ```

    Reference:
        [Isola et al., 2016](https://arxiv.org/abs/1611.07004)
    """

    def __init__(self, generator, discriminator, ema=None, seed=None, **kwargs):
        source_shape, shape, judges_pairs = networks.connect_translation(generator, discriminator)
        inputs = keras.KerasTensor((None, *source_shape))
        super().__init__(generator, discriminator, inputs, ema, seed, **kwargs)
        self.source_shape = source_shape
        self.data_shape = shape
        self._judges_pairs = judges_pairs
        self._enlarged = shape[0] // source_shape[0]

    def log_names(self):
        return [*self.game.log_names(), "reconstruction_loss", *self.hidden_logs]

    @property
    def hidden_logs(self):
        return [*super().hidden_logs, "change", "relative_error"]

    # === Training ===

    def compile(
        self,
        generator_optimizer=None,
        discriminator_optimizer=None,
        loss="non_saturating",
        penalties=(),
        generator_penalties=(),
        metrics=None,
        augmentation=None,
        reconstruction="mae",
        reconstruction_weight=100.0,
        simultaneous=False,
        run_eagerly=False,
        steps_per_execution=1,
        jit_compile="auto",
    ):
        """Configures training.

        The generator minimizes its adversarial loss and `reconstruction_weight` times the reconstruction loss.

        Args:
            generator_optimizer: `keras.optimizers.Optimizer` or its name. Defaults to `Adam(2e-4, beta_1=0.5)`,
                as in the paper.
            discriminator_optimizer: Another optimizer, for the discriminator, with the same default.
            loss: Name or object from `keras_gan.losses`. Defaults to `"non_saturating"`.
            penalties: List of objects from `keras_gan.penalties`, added to the discriminator's objective. They get
                targets as `real`, outputs as `fake`, and as `discriminator` a function of a target or an output alone,
                with the source fixed.
            generator_penalties: List of objects from `keras_gan.penalties`, added to the generator's objective. They
                get the source in place of latents.
            metrics: List of `keras.metrics.Metric` whose `update_state` takes `(target, output)`. `evaluate` and
                `validation_data` update them. Defaults to None: `keras.metrics.MeanAbsoluteError`, named `"mae"`,
                `keras_gan.metrics.PSNR` and `keras_gan.metrics.SSIM`.
            augmentation: `keras_gan.augmentation.Augmentation`, applied to all that the discriminator sees in training.
                A source and its target, or its output, share one random draw. Defaults to none.
            reconstruction: `keras.losses.Loss`, function of `(target, output)`, or name of one from `keras.losses`:
                the distance of an output from its target, averaged over the batch. Defaults to `"mae"`.
            reconstruction_weight: Float >= 0. Defaults to `100.0`, as in the paper.
            simultaneous: Bool, whether both players learn from the same outputs and are updated simultaneously, as in
                `GAN`. Defaults to False, the discriminator first.
            run_eagerly: Bool, as in `keras.Model.compile`.
            steps_per_execution: Int, as in `keras.Model.compile`.
            jit_compile: Bool or `"auto"`, as in `keras.Model.compile`.

        Raises:
            ValueError: If a loss is unknown, both players share one optimizer object, a network has no
                trainable weights, two metrics log a result of the same name, or a number is out of range.
            TypeError: If a penalty, a metric, the reconstruction or the augmentation is of the wrong type.
        """
        self.reconstruction_weight = checks.check_number("reconstruction_weight", reconstruction_weight, 0)
        self.reconstruction = get_reconstruction("reconstruction", reconstruction)
        self.compile_game(
            generator_optimizer,
            discriminator_optimizer,
            loss,
            penalties,
            generator_penalties,
            augmentation,
            simultaneous,
            metrics=default_metrics() if metrics is None else metrics,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=jit_compile,
        )

    def check_data(self, x, y):
        target = checks.Expected(self.data_shape, networks.output_activation(self.generator))
        return checks.check_pairs(x, y, self.source_shape, target)

    def adversarial_step(self, data):
        source, target = self._unpack(data)
        if self.simultaneous:
            d, g = self.update(["discriminator", "generator"], lambda: self.simultaneous_objectives(source, target))
        else:
            (d,) = self.update(["discriminator"], lambda: [self.discriminator_objective(source, target)])
            (g,) = self.update(["generator"], lambda: [self.generator_objective(source, target)])
        self.update_averages()
        self.game.learn(self.without_padding(d["real_logits"]))
        return {
            **self.game.results(d, g),
            "reconstruction_loss": g["reconstruction"],
            **health.measure(self.loss, target, d, g),
            **health.measure_translation(self._enlarge(source), target, d["fake"]),
        }

    def discriminator_objective(self, source, target, output=None):
        """Computes the discriminator's objective.

        Args:
            source: Tensor `(batch, height, width, channels)`.
            target: Tensor of the targets.
            output: Tensor of the generator's outputs. Defaults to None, computed here.

        Returns:
            The objective, a scalar tensor; and the report of `Game.discriminator_objective`, a dict.
        """
        if output is None:
            output = ops.stop_gradient(self._translate(self.generator, source, training=True))
        return self.game.discriminator_objective(self.discriminator, self._judge(source), target, output)

    def generator_objective(self, source, target, output=None, judged=None):
        """Computes the generator's objective, through the fixed discriminator.

        Args:
            source: Tensor `(batch, height, width, channels)`.
            target: Tensor of the targets.
            output: Tensor of the generator's outputs. Defaults to None, computed here.
            judged: Report of the discriminator's objective on the same output. Defaults to None, computed here.

        Returns:
            The objective, a scalar tensor; and the report of `Game.generator_objective`, a dict, with the
            `reconstruction` loss without its weight.
        """
        if output is None:
            output = self._translate(self.generator, source, training=True)

        def generate(source, given):
            return self._translate(self.generator, source, training=True)

        objective, report = self.game.generator_objective(
            self.generator, self._judge(source), target, output, (generate, source, None), judged
        )
        reconstruction = self.reconstruct(target, output)
        return objective + self.reconstruction_weight * reconstruction, {**report, "reconstruction": reconstruction}

    def simultaneous_objectives(self, source, target):
        """Computes both objectives on the same outputs, which the discriminator judges only once.

        Returns a list, first for the discriminator, then for the generator. Each is a pair as in
        `discriminator_objective`.
        """
        output = self._translate(self.generator, source, training=True)
        objective, report = self.discriminator_objective(source, target, output)
        return [(objective, report), self.generator_objective(source, target, output, report)]

    def reconstruct(self, target, output):
        """Computes the reconstruction loss of a batch, a scalar tensor."""
        return reconstruct(self.reconstruction, target, output)

    def evaluation_step(self, data):
        source, target = self._unpack(data)
        output = self._translate(self, source, training=False)
        self.update_metrics(target, output)
        judge = self._judge(source, augmented=False)
        logits = [judge(image, training=False)[0] for image in (target, output)]
        return {**self.game.evaluate(*logits), "reconstruction_loss": self.reconstruct(target, output)}

    def _judge(self, source, augmented=True):
        """Returns the discriminator with these sources fixed, as a function of (targets or outputs, `training`)."""
        source = self._enlarge(source)

        def judge(image, training):
            pair = [source, ops.cast(image, source.dtype)]
            pair = self.game.augment(pair) if augmented else pair
            return self.discriminator(pair if self._judges_pairs else ops.concatenate(pair, -1), training=training), {}

        return judge

    def _enlarge(self, source):
        if self._enlarged == 1:
            return source
        return ops.repeat(ops.repeat(source, self._enlarged, axis=1), self._enlarged, axis=2)

    def _unpack(self, data):
        source, target, _ = keras.utils.unpack_x_y_sample_weight(data)
        pairs = ((source, self.source_shape), (target, self.data_shape))
        # `variable_dtype`, not `compute_dtype`: metrics and losses need unrounded targets.
        return [ops.cast(backend.with_shape(image, shape), self.variable_dtype) for image, shape in pairs]

    def _translate(self, generator, source, training):
        return ops.cast(generator(source, training=training), self.variable_dtype)

    # === Watching ===

    def preview(self, n, seed=0, given=None):
        """Draws pairs: source, output and target side by side.

        Args:
            n: Int, how many.
            seed: Not used.
            given: Pair of arrays, at least `n` sources and targets.

        Returns:
            Array `(n, height, total_width, channels)` in [-1, 1], as `keras_gan.images.side_by_side` makes it.

        Raises:
            ValueError: If there are no pairs, or they don't fit the networks.
        """
        if given is None or given[1] is None:
            raise ValueError(
                f"{type(self).__name__} draws pairs: pass SampleGrid(..., data=DATA), with the data of fit. "
                "Received: none."
            )
        source, target = (part[:n] for part in given)
        source, target = self.check_data(source, target)
        output = self.predict(source, verbose=0)
        target, output = (images.signed(image, self.generator) for image in (target, output))
        return images.side_by_side([source, output, target])

    def alarms(self):
        return [
            health.discriminator_won(self.loss),
            health.output_ignores_source(),
            health.output_copies_source(),
            health.reconstruction_stands_still(),
        ]

    # === Exporting ===

    def export(self, filepath, **options):
        """Exports the generator to a file for another program, and checks the file.

        The file has the averaged weights if there is an `ema`.

        Args:
            filepath: Path to write: NAME.tflite for phones, NAME.onnx, or NAME for a SavedModel.
            **options: Those of `keras_gan.export.export_translation`: `data`, required, pictures for calibration and
                checks; `quantize="dynamic"` for a quarter of the size, `accelerator="gpu"` for a phone's GPU,
                `output="uint8"` for bytes in and out, `batch_sizes`, `metrics`, `card`, `format`.

        Returns:
            `keras_gan.export.Report`. It prints as a table.

        Raises:
            ValueError: If the file differs from the generator; see `keras_gan.export.export_translation`. No file is
                left then.
        """
        return export_translation(self, filepath, **options)

    # === Saving ===

    def get_compile_config(self):
        config = super().get_compile_config()
        if not config:
            return config
        return {
            **config,
            "reconstruction": keras.losses.serialize(self.reconstruction),
            "reconstruction_weight": self.reconstruction_weight,
        }


def default_metrics():
    """Makes the metrics of outputs and their targets: the mean absolute error, PSNR and SSIM."""
    return [keras.metrics.MeanAbsoluteError("mae"), metrics.PSNR(), metrics.SSIM()]
