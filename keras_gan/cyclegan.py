"""Unpaired image translation: models that learn from two sets of images without pairs."""

import itertools
import types

import keras
import numpy as np
from keras import ops

from keras_gan import backend, checks, health, images, networks
from keras_gan.color_matching import ColorMatching
from keras_gan.duel import Match
from keras_gan.export.export import export_translation
from keras_gan.game import Game, another, get_reconstruction, reconstruct
from keras_gan.image_pool import ImagePool
from keras_gan.optimizers import scales_loss

_DOMAINS = "a", "b"
_OTHER = {"a": "b", "b": "a"}
_IDENTITY = 0.5
_BATCH = 32


@keras.saving.register_keras_serializable(package="keras_gan")
class CycleGAN(Match):
    """Two generators that translate images of A to B and back, each against a discriminator of its outputs.

    There are no targets: each discriminator judges whether images look like those of its domain, and the cycle loss
    requires that an image that is translated there and back equals the original.

    A step takes as many images of one domain as of the other. Arrays, and the first batch of a dataset, must have as
    many of each; if a later batch has more of one domain, the last of them are not used.
    `keras_gan.datasets.load_unpaired` gives equal batches of sets of any size.

    Called on images of A, or in `predict`, it returns their translations to B; `translate` does either direction. Names
    that end in `_a` refer to images of A, both real images and outputs of `generator_ba`. Names that end in `_b` refer
    to images of B.

    Args:
        generator_ab: `keras.Model` from images of A `(batch, height, width, channels)` to images of B of that size,
            with any number of channels.
        generator_ba: `keras.Model` from images of B to images of A.
        discriminator_a: `keras.Model` from images of A to logits `(batch, 1)` or a map of them `(batch, ..., 1)`: no
            sigmoid at its end.
        discriminator_b: `keras.Model`, the same for B.
        ema: Float in [0, 1), the momentum of moving averages of both generators' weights, as in `GAN`. Defaults to
            None, no averages.
        seed: Int, makes the random numbers of training reproducible. Defaults to None, another seed for each run.
        pool_size: Int >= 0, how many earlier outputs are kept for each discriminator. When the pool is full, each new
            output is replaced by an earlier one with probability 0.5. Saved models keep the pools, as float32. Defaults
            to `50`, as in the paper; with 0 a discriminator only gets the outputs of the current step.
        match_steps: Int >= 0, over how many steps the identity loss recolors its inputs, less in each step. Recoloring
            gives images of B the colors of A, and vice versa, by the mean and the standard deviation of each channel
            over all images seen so far. With recoloring, the bluest class of A becomes the bluest class of B. Without
            it, if the sets differ in color, the generators often swap classes, such as sea and forest. Must be 0 if A
            and B differ in channels. Defaults to `0`, as in the paper: no recoloring.
        **kwargs: `name` and `dtype`, as for any `keras.Model`.

    Raises:
        ValueError: If a network does not fit the others, or a number is out of range.
        TypeError: If a network is not a `keras.Model`.

    Attributes:
        shapes: Dict of `"a"` and `"b"` to the shape of an image, `(height, width, channels)`.

    Example:

    ```python
    model = keras_gan.CycleGAN(
        generator_ab=keras_gan.architectures.unet_generator((32, 32, 3), width=16),
        generator_ba=keras_gan.architectures.unet_generator((32, 32, 3), width=16),
        discriminator_a=keras_gan.architectures.patch_discriminator((32, 32, 3), width=16, normalize=False),
        discriminator_b=keras_gan.architectures.patch_discriminator((32, 32, 3), width=16, normalize=False),
    )
    model.compile()
    a, b = np.random.uniform(-1, 1, (2, 8, 32, 32, 3)).astype("float32")
    model.fit(a, b, batch_size=4)
    model.predict(a).shape  # (8, 32, 32, 3)
    ```

    Reference:
        [Zhu et al., 2017](https://arxiv.org/abs/1703.10593)
    """

    def __init__(
        self,
        generator_ab,
        generator_ba,
        discriminator_a,
        discriminator_b,
        ema=None,
        seed=None,
        pool_size=50,
        match_steps=0,
        **kwargs,
    ):
        shapes = networks.connect_cycle(
            {"generator_ab": generator_ab, "generator_ba": generator_ba},
            {"discriminator_b": discriminator_b, "discriminator_a": discriminator_a},
        )
        pool_size = checks.check_integer("pool_size", pool_size, 0)
        match_steps = checks.check_integer("match_steps", match_steps, 0)
        if match_steps and shapes[0] != shapes[1]:
            raise ValueError(
                "match_steps must be 0 if A and B differ in channels. "
                f"Received: match_steps={match_steps}, images of {shapes[0]} and {shapes[1]}."
            )
        super().__init__(ema, seed, **kwargs)
        self.generator_ab, self.generator_ba = generator_ab, generator_ba
        self.discriminator_a, self.discriminator_b = discriminator_a, discriminator_b
        self.pool_size = pool_size
        self.match_steps = match_steps
        self.shapes = dict(zip(_DOMAINS, shapes, strict=True))
        self.data_shape = self.shapes["b"]
        self.data_range = checks.RANGES.get(networks.output_activation(generator_ab))
        symbolic = {domain: keras.KerasTensor((None, *shape)) for domain, shape in self.shapes.items()}
        self._average_ab = self.make_average(generator_ab, symbolic["a"])
        self._average_ba = self.make_average(generator_ba, symbolic["b"])
        self.pool_a, self.pool_b = (ImagePool(pool_size, shape) if pool_size else None for shape in shapes)
        self.colors = ColorMatching(shapes[0][-1], match_steps) if match_steps else None

    def players(self):
        return {
            "discriminator": [self.discriminator_a, self.discriminator_b],
            "generator": [self.generator_ab, self.generator_ba],
        }

    def averages(self):
        pairs = (self.generator_ab, self._average_ab), (self.generator_ba, self._average_ba)
        return [] if self.ema is None else list(pairs)

    def generator_to(self, to):
        """Returns the generator that makes images of a domain, `"a"` or `"b"`."""
        return self.generator_ab if to == "b" else self.generator_ba

    def _of(self, kind, domain):
        """Returns the game, the pool or the discriminator of a domain."""
        return getattr(self, f"{kind}_{domain}")

    def log_names(self):
        names = [*self.game_a.log_names(), "cycle_loss", *(["identity_loss"] if self.identity_weight else [])]
        return [*_of_both(names), *self.hidden_logs]

    @property
    def hidden_logs(self):
        names = _of_both([*self.game_a.hidden_logs(), "change", "relative_error"])
        return [*names, *health.update_names(scales_loss(self.generator_optimizer))]

    # === Training ===

    def compile(
        self,
        generator_optimizer=None,
        discriminator_optimizer=None,
        loss="least_squares",
        penalties=(),
        generator_penalties=(),
        metrics=(),
        augmentation=None,
        cycle="mae",
        cycle_weight=10.0,
        identity_weight=None,
        run_eagerly=False,
        steps_per_execution=1,
        jit_compile="auto",
    ):
        """Configures training.

        Both generators share one objective. It is the sum of their adversarial losses and, for each domain,
        `cycle_weight` times the cycle loss and `cycle_weight * identity_weight` times the identity loss. The cycle loss
        is the distance of images from their reconstructions. The identity loss is how much a generator changes images
        that are already of its target domain.

        Args:
            generator_optimizer: `keras.optimizers.Optimizer` or its name, for both generators. Defaults to
                `Adam(2e-4, beta_1=0.5)`, as in the paper.
            discriminator_optimizer: Another optimizer, for both discriminators, with the same default.
            loss: Name or object from `keras_gan.losses`. Defaults to `"least_squares"`.
            penalties: List of objects from `keras_gan.penalties`, added to the objective of each discriminator, which
                gets its own copies.
            generator_penalties: List of objects from `keras_gan.penalties`, added to the generators' objective for
                each direction. They get sources in place of latents.
            metrics: List of `keras.metrics.Metric` whose `update_state` takes `(real, fake)`. Each is made twice from
                its `get_config`, for images of A and of B, with `_a` and `_b` at the end of its name. `evaluate` and
                `validation_data` update them: the metrics of B compare the given images of B with translations of the
                given images of A, and the metrics of A vice versa. If the given images of A and B are pairs, metrics of
                pairs are meaningful, such as `keras_gan.metrics.PSNR()`. Defaults to none.
            augmentation: `keras_gan.augmentation.Augmentation`, applied to all that the discriminators see in training.
                Defaults to none.
            cycle: `keras.losses.Loss`, function of `(target, output)`, or name of one from `keras.losses`: the distance
                in both the cycle loss and the identity loss. Defaults to `"mae"`.
            cycle_weight: Float >= 0. Defaults to `10.0`, the paper's number. The paper's adversarial loss for
                generators is twice `"least_squares"`, so with `"least_squares"`, `5.0` gives the paper's ratio.
            identity_weight: Float >= 0, the weight of the identity loss, as a share of `cycle_weight`. This loss keeps
                colors that need not change, and takes two more passes of the generators in each step. Must be 0 if A
                and B differ in channels. Defaults to None: 0.5 as in the paper, or 0 if channels differ.
            run_eagerly: Bool, as in `keras.Model.compile`.
            steps_per_execution: Int, as in `keras.Model.compile`.
            jit_compile: Bool or `"auto"`, as in `keras.Model.compile`.

        Raises:
            ValueError: If a loss is unknown, generators and discriminators share one optimizer object, a network has
                no trainable weights, two metrics log a result of the same name, or a number is out of range.
            TypeError: If a penalty, a metric, the cycle or the augmentation is of the wrong type.
        """
        cycle_weight = checks.check_number("cycle_weight", cycle_weight, 0)
        identity_weight = self._check_identity(identity_weight)
        cycle = get_reconstruction("cycle", cycle)
        checks.check_metrics(metrics)
        game_b = Game(self, self.discriminator_b, self.shapes["b"], loss, penalties, generator_penalties, augmentation)
        copies = [[another(part) for part in parts] for parts in (penalties, generator_penalties, [augmentation])]
        game_a = Game(self, self.discriminator_a, self.shapes["a"], game_b.loss, *copies[:2], *copies[2])
        self.game_a, self.game_b = game_a, game_b
        self.loss = game_b.loss
        self.cycle, self.cycle_weight, self.identity_weight = cycle, cycle_weight, identity_weight
        self.compile_players(
            generator_optimizer,
            discriminator_optimizer,
            metrics=[_of_domain(metric, domain) for metric in metrics for domain in _DOMAINS],
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=jit_compile,
        )

    def _check_identity(self, weight):
        same = self.shapes["a"] == self.shapes["b"]
        if weight is None:
            return _IDENTITY if same else 0.0
        weight = checks.check_number("identity_weight", weight, 0)
        if weight and not same:
            raise ValueError(
                "identity_weight must be 0 if A and B differ in channels, since no image is of both. Received: "
                f"identity_weight={weight:g}, images of {self.shapes['a']} and {self.shapes['b']}. Leave it out."
            )
        return weight

    def _metrics_of(self, domain):
        return [metric for metric in self.evaluation_metrics if metric.name.endswith(f"_{domain}")]

    def shape_for(self, metric):
        return self.shapes[metric.name[-1]]

    def check_data(self, x, y):
        activation = networks.output_activation(self.generator_ab)
        return checks.check_domains(x, y, *(checks.Expected(self.shapes[each], activation) for each in _DOMAINS))

    def adversarial_step(self, data):
        real = self._unpack(data)
        if self.identity_weight and self.colors is not None:
            self.colors([real[domain] for domain in _DOMAINS])
        # The generators come first, as in the paper: the discriminators then use the same fakes.
        (g,) = self.update(["generator"], lambda: [self.generator_objective(real["a"], real["b"])])
        self.update_averages()
        fakes = [self._show(g[domain]["fake"], domain) for domain in _DOMAINS]
        (d,) = self.update(["discriminator"], lambda: [self.discriminator_objective(real["a"], real["b"], *fakes)])
        logs = {}
        for domain in _DOMAINS:
            game, of_d, of_g, images_of = self._of("game", domain), d[domain], g[domain], real[domain]
            game.learn(self.without_padding(of_d["real_logits"]))
            found = {
                **game.results(of_d, of_g),
                **{name: of_g[name] for name in ("cycle_loss", "identity_loss") if name in of_g},
                **health.measure_game(self.loss, images_of, {**of_d, "fake": of_g["fake"]}, of_g),
                "change": health.change(real[_OTHER[domain]], images_of, of_g["fake"]),
                "relative_error": health.relative_error(images_of, of_g["back"]),
            }
            logs.update({f"{name}_{domain}": value for name, value in found.items()})
        return {**logs, **health.measure_updates(d, g)}

    def _show(self, fake, domain):
        pool = self._of("pool", domain)
        fake = ops.stop_gradient(fake)
        return fake if pool is None else pool(fake, seed=self.training_seed)

    def generator_objective(self, a, b):
        """Computes the joint objective of both generators, through the fixed discriminators.

        Args:
            a: Tensor of images of A `(batch, height, width, channels)`.
            b: Tensor of images of B.

        Returns:
            The objective, a scalar tensor; and a dict with the keys `"a"` and `"b"`. Each value is the report of
            `Game.generator_objective` for that domain, plus `fake` (generated images), `back` (reconstructed images),
            `cycle_loss` and, if it has a weight, `identity_loss`.
        """
        real = {"a": a, "b": b}
        fakes = {to: self._translate(self.generator_to(to), real[_OTHER[to]], training=True) for to in _DOMAINS}
        total, reports = 0.0, {}
        # Before any other call of the generators: losses of their layers are those of the last call.
        for to, fake in fakes.items():

            def generate(source, given, to=to):
                return self._translate(self.generator_to(to), source, training=True)

            objective, report = self._of("game", to).generator_objective(
                self.generator_to(to), self._judge(to), real[to], fake, (generate, real[_OTHER[to]], None)
            )
            total += objective
            reports[to] = {**report, "fake": fake}
        for domain in _DOMAINS:
            back = self._translate(self.generator_to(domain), fakes[_OTHER[domain]], training=True)
            distances = self._distances(self.generator_to(domain), domain, real[domain], back, training=True)
            total += self.cycle_weight * distances["cycle_loss"]
            if self.identity_weight:
                total += self.cycle_weight * self.identity_weight * distances["identity_loss"]
            reports[domain].update(distances, back=back)
        return total, reports

    def discriminator_objective(self, a, b, fake_a, fake_b):
        """Computes the joint objective of both discriminators.

        Args:
            a: Tensor of images of A `(batch, height, width, channels)`.
            b: Tensor of images of B.
            fake_a: Tensor of generated images like those of `a`.
            fake_b: Likewise, like those of `b`.

        Returns:
            The objective, a scalar tensor; and a dict of `"a"` and `"b"` to the report of
            `Game.discriminator_objective` on images of that domain.
        """
        total, reports = 0.0, {}
        for domain, real, fake in (("a", a, fake_a), ("b", b, fake_b)):
            objective, reports[domain] = self._of("game", domain).discriminator_objective(
                self._of("discriminator", domain), self._judge(domain), real, fake
            )
            total += objective
        return total, reports

    def _distances(self, generator, domain, real, back, training):
        """Computes the cycle loss (images against their reconstructions), and the identity loss (images against the
        outputs of the generator of the same domain, whose inputs are recolored in the first steps)."""
        found = {"cycle_loss": reconstruct(self.cycle, real, back)}
        if self.identity_weight:
            source = real if self.colors is None else self.colors.recolor(real, domain == "a")
            same = self._translate(generator, source, training)
            found["identity_loss"] = reconstruct(self.cycle, real, same)
        return found

    def evaluation_step(self, data):
        real = self._unpack(data)
        generators = {to: self.averaged(self.generator_to(to)) for to in _DOMAINS}
        fakes = {to: self._translate(generators[to], real[_OTHER[to]], training=False) for to in _DOMAINS}
        logs = {}
        for domain in _DOMAINS:
            self.update_metrics(real[domain], fakes[domain], self._metrics_of(domain))
            judge = self._judge(domain, augmented=False)
            logits = [judge(image, training=False)[0] for image in (real[domain], fakes[domain])]
            back = self._translate(generators[domain], fakes[_OTHER[domain]], training=False)
            found = {
                **self._of("game", domain).evaluate(*logits),
                **self._distances(generators[domain], domain, real[domain], back, training=False),
            }
            logs.update({f"{name}_{domain}": value for name, value in found.items()})
        return logs

    def _judge(self, domain, augmented=True):
        """Returns a discriminator as a function of images and `training`. It augments images unless `augmented` is
        False."""

        def judge(image, training):
            image = self._of("game", domain).augment(image) if augmented else image
            return self._of("discriminator", domain)(image, training=training), {}

        return judge

    def _unpack(self, data):
        a, b, _ = keras.utils.unpack_x_y_sample_weight(data)
        # The last batches of two sets may differ in length.
        a, b = a[: ops.shape(b)[0]], b[: ops.shape(a)[0]]
        # `variable_dtype`, not `compute_dtype`: metrics and losses need unrounded images.
        return {
            domain: ops.cast(backend.with_shape(image, self.shapes[domain]), self.variable_dtype)
            for domain, image in (("a", a), ("b", b))
        }

    def _translate(self, generator, source, training):
        return ops.cast(generator(source, training=training), self.variable_dtype)

    def call(self, inputs, training=False):
        return (self.generator_ab if training else self.averaged(self.generator_ab))(inputs, training=training)

    # === Watching ===

    def culprit(self, broken):
        found = {
            domain: {name.removesuffix(f"_{domain}") for name in broken if name.endswith(f"_{domain}")}
            for domain in _DOMAINS
        }
        shared = broken - set(_of_both([name for each in found.values() for name in each]))
        # Non-finite images of one domain make non-finite fakes of the other.
        for domain in sorted(_DOMAINS, key=lambda each: "real_score" not in found[each]):
            if found[domain]:
                part = self._of("game", domain).culprit(found[domain] | shared, self.steps_per_execution)
                return f"{part}, with images of {domain.upper()}"
        return self.game_b.culprit(broken, self.steps_per_execution)

    def preview(self, n, seed=0, given=None):
        """Draws an image of A, its translation to B and its reconstruction; below, the same for one of B.

        Args:
            n: Int, how many of each.
            seed: Not used.
            given: Pair of arrays, at least `n` images of A and of B.

        Returns:
            Array `(n, 2 * height + 1, 3 * width + 2, channels)` in [-1, 1].

        Raises:
            ValueError: If there are no images of both, or they don't fit the networks.
        """
        if given is None or given[1] is None:
            raise ValueError(
                f"{type(self).__name__} draws images of both domains: pass SampleGrid(..., data=DATA), with the data "
                "of fit. Received: none."
            )
        given = self.check_data(*(part[:n] for part in given))
        rows = []
        for domain, real in zip(_DOMAINS, given, strict=True):
            row = real, *self.there_and_back(real, to=_OTHER[domain])
            rows.append([images.signed(each, self.generator_ab) for each in row])
        above, below = map(images.side_by_side, rows)
        return np.concatenate([above, np.ones_like(above[:, :1]), below], axis=1)

    def alarms(self):
        ignored = "Try a larger cycle_weight or a lower learning rate."
        copied = "Train for longer, or try a smaller identity_weight or cycle_weight."
        return [
            alarm
            for suffix in _of_both([""])
            for alarm in (
                health.discriminator_won(self.loss, suffix),
                health.output_ignores_source(suffix, ignored),
                health.output_copies_source(suffix, copied),
                health.cycle_stands_still(suffix),
            )
        ]

    # === Translating ===

    def translate(self, images, to="b", batch_size=_BATCH):
        """Translates images, with the averaged weights if there is an `ema`.

        Args:
            images: Array or tensor `(n, height, width, channels)`, of B for `to="a"` and of A for `to="b"`.
            to: `"a"` or `"b"`, the domain of the outputs. Defaults to `"b"`.
            batch_size: Int > 0, how many at once. Defaults to `32`.

        Returns:
            NumPy array `(n, height, width, channels)`.

        Raises:
            ValueError: If `to` is neither `"a"` nor `"b"`, the images have another shape or are not finite, or
                `batch_size` is not a positive integer.
            TypeError: If the images are not an array of numbers.

        Example:

        ```python
        model.translate(b, to="a").shape  # (8, 32, 32, 3)
        ```
        """
        _check_to(to)
        batch_size = checks.check_integer("batch_size", batch_size)
        expected = checks.Expected(self.shapes[_OTHER[to]], networks.output_activation(self.generator_ab))
        checks.check_images("images", images, expected)
        return self._made(images, to, batch_size)

    def there_and_back(self, images, to="b", batch_size=_BATCH):
        """Translates images as `translate` does, and translates the results back.

        Args:
            images: As for `translate`.
            to: As for `translate`. Defaults to `"b"`.
            batch_size: As for `translate`. Defaults to `32`.

        Returns:
            Two NumPy arrays `(n, height, width, channels)`: images of the domain `to`, and of the one they came from.

        Raises:
            ValueError: As for `translate`.
            TypeError: As for `translate`.

        Example:

        ```python
        fake_b, back = model.there_and_back(a)
        back.shape  # (8, 32, 32, 3)
        ```
        """
        made = self.translate(images, to, batch_size)
        # Outputs are not checked: they may all be bright, which in a user's images suggests a wrong range.
        return made, self._made(made, _OTHER[to], batch_size)

    def _made(self, images, to, batch_size):
        return self.infer(self.best(self.generator_to(to)), images, batch_size)

    def export(self, filepath, to="b", data=None, **options):
        """Exports a generator to a file for another program, and checks the file.

        The file has the averaged weights if there is an `ema`.

        Args:
            filepath: Path to write: NAME.tflite for phones, NAME.onnx, or NAME for a SavedModel.
            to: `"a"` or `"b"`, the domain of the file's outputs. Defaults to `"b"`.
            data: Images for calibration and checks, which must be given: an array of the file's inputs, a tuple
                `(a, b)` of arrays, or batches of both domains.
            **options: Those of `keras_gan.export.export_translation`: `quantize="dynamic"` for a quarter of the size,
                `accelerator="gpu"` for a phone's GPU, `output="uint8"` for bytes in and out, `batch_sizes`, `metrics`,
                `card`, `format`.

        Returns:
            `keras_gan.export.Report`. It prints as a table.

        Raises:
            ValueError: If `to` is neither `"a"` nor `"b"`, or the file differs from the generator; see
                `keras_gan.export.export_translation`. No file is left then.
        """
        _check_to(to)
        game = self._of("game", to) if self.compiled else None
        # A model of only this direction.
        direction = types.SimpleNamespace(
            best_generator=self.best(self.generator_to(to)),
            evaluation_metrics=self._metrics_of(to),
            compiled=self.compiled,
            optimizer=self.optimizer if self.compiled else None,
            ema=self.ema,
            loss=game and game.loss,
            penalties=game.penalties.penalties if game else [],
            augmentation=game and game.augmentation,
        )
        return export_translation(direction, filepath, _turned(data) if to == "a" else data, **options)

    # === Saving ===

    def get_config(self):
        names = "generator_ab", "generator_ba", "discriminator_a", "discriminator_b"
        return {
            **super().get_config(),
            **{name: keras.saving.serialize_keras_object(getattr(self, name)) for name in names},
            "pool_size": self.pool_size,
            "match_steps": self.match_steps,
        }

    def get_compile_config(self):
        config = super().get_compile_config()
        if not config:
            return config
        metrics = config["metrics"][::2]
        for metric in metrics:
            metric["config"]["name"] = metric["config"]["name"].removesuffix("_a")
        return {
            **config,
            **self.game_b.get_compile_config(),
            "metrics": metrics,
            "cycle": keras.losses.serialize(self.cycle),
            "cycle_weight": self.cycle_weight,
            "identity_weight": self.identity_weight,
        }


def _of_both(names):
    return [f"{name}_{domain}" for name in names for domain in _DOMAINS]


def _of_domain(metric, domain):
    """Returns a metric of the same configuration for images of a domain, with the domain at the end of its name."""
    config = {**metric.get_config(), "name": f"{metric.name}_{domain}"}
    try:
        return type(metric).from_config(config)
    except TypeError as error:
        raise TypeError(
            f"metrics are made twice, for A and for B, with new names: {type(metric).__name__} must take `name` and "
            f"all other arguments that its get_config returns. Received: one that does not. {error}"
        ) from error


def _check_to(to):
    if to not in _DOMAINS:
        raise ValueError(f"to must be 'a' or 'b', the domain to translate to. Received: {to!r}.")


def _turned(data):
    """Returns data with B before A where they hold both: a pair of arrays, or batches."""
    if data is None or hasattr(data, "shape") or isinstance(data, tuple):
        return data[::-1] if isinstance(data, tuple) else data
    first, iterator = checks.draw(data)
    batches = iterator if first is None else itertools.chain([first], iterator)
    return (batch[::-1] if isinstance(batch, (tuple, list)) else batch for batch in batches)
