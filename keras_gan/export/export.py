"""Export of a generator: convert, check the written file, then move it to its place."""

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Mapping

import keras

from keras_gan import checks, networks
from keras_gan.checks.values import check_model
from keras_gan.conditions import Unconditional
from keras_gan.export import arguments, convert, gpu, latency, metadata, report, runners, tasks, verify
from keras_gan.priors import Normal


def export(
    generator,
    filepath,
    format=None,
    quantize=None,
    batch_sizes=(1,),
    sample=False,
    output="float32",
    metrics=(),
    data=None,
    card=None,
    prior=None,
    condition=None,
    accelerator=None,
):
    """Writes a generator as a .tflite file, as ONNX or as a SavedModel, and checks the file.

    The file has the signature `generate(latent) -> image`, float32 on both sides. With a condition on labels, it is
    `generate(latent, labels)` with int32 labels; with a condition on vectors, `generate(latent, given)` with float32
    vectors. A SavedModel takes any batch size, and has the same signature also under the name `serving_default`; ONNX
    takes any batch size. A .tflite file takes a batch of 1 and uses only builtin operations. Its transposed
    convolutions and upsamplings are computed with depth-to-space, and batch normalization is folded in. The result is
    the same up to rounding, and faster on a device. A generator trained in mixed precision is rebuilt in float32.

    The written file is compared with the Keras generator on fresh latents. The file is kept only if the outputs agree:
    the largest error is at most 1e-5 for float32 and 0.02 for float16 weights; for int8 weights, the PSNR is at least
    25 dB. These limits are for images in [-1, 1]. For other outputs, the limits are relative to half of the output
    range. The range is [0, 1] for a sigmoid; without tanh or sigmoid it is the range over which outputs vary between
    samples. No limit is smaller than the float32 rounding error, 5e-6 times the largest output. A model card is written
    next to the file, with `.md` appended to the file's name, and into the file's metadata.

    Args:
        generator: Built `keras.Model` from latents `(batch, latent_dim)` to data.
        filepath: Path to write, NAME.tflite, NAME.onnx or NAME. An older file and its card are replaced; a
            SavedModel's folder must be new or empty.
        format: `"litert"`, `"onnx"` or `"tf_saved_model"`. Defaults to None, chosen by the suffix.
        quantize: Precision of a .tflite file. None is float32. `"float16"` halves the size. `"dynamic"` takes int8
            weights, a quarter of the size: the first choice for CPUs, fast and without calibration. `"int8"` computes
            in integers, calibrated on latents of the prior, for integer-only hardware. Inputs and outputs stay float32.
            Defaults to None.
        batch_sizes: Ints > 0, for a .tflite file: one signature each, with shared weights. The first has the plain
            name, others are called `generate_4` and so on. Defaults to `(1,)`.
        sample: Bool, whether to add a signature `sample(seed) -> image`, which draws the latents itself; the seeds
            `(batch,)` are int32, one for each image. Defaults to False.
        output: `"float32"`, or `"uint8"` for images whose values are bytes, `round(x * 127.5 + 127.5)`. Defaults to
            `"float32"`.
        metrics: List of metrics from `keras_gan.metrics`. Copies of each are evaluated on images of the Keras generator
            and on images of the file. Defaults to none.
        data: Real data for the metrics: an array, batches of images, or, for a condition on labels, batches of
            `(images, labels)`. Images are then generated for the same labels; with an array, for all classes in turn.
            For a condition on vectors, pass vectors in place of labels. The vectors of the first batch are also used
            for calibration and checks. If no data are given, standard normal vectors are used. The data are read once,
            and the same number of images is generated.
        card: Dict of strings, further facts for the model card, such as
            `{"data": "70,000 faces", "license": "CC BY 4.0"}`.
        prior: `keras_gan.priors.Prior` that the noise is drawn from. Defaults to a standard normal.
        condition: `keras_gan.conditions.Condition` that the generator was trained with. Defaults to None, the one that
            it was built with, if any.
        accelerator: `"gpu"` for a .tflite file that LiteRT runs entirely on a phone's GPU; if that is impossible, an
            error is raised. If the machine has a Vulkan driver (a software one is enough, such as that of Debian's
            `chromium`), the file runs on it and is compared with the CPU, to 1e-3, or 0.02 with float16 weights;
            otherwise it is checked against the rules of LiteRT's delegate. Defaults to None: the file need not run on a
            GPU, and the report's `gpu` row says if it meets these rules.

    Returns:
        `Report`. It prints as a table.

    Raises:
        ValueError: If an option is unknown or does not go with the format, the data are not valid for `fit`, a layer
            can't be converted, the file differs from the generator, or Keras's backend is not TensorFlow. In these
            cases no new file is left behind.
        TypeError: If metrics or data are of the wrong type.
        FileExistsError: If something else exists at the path of the SavedModel or the card.
        OSError: If the folder can't be written, or the disk is full. No file is left then.
        ImportError: If a package is missing; the message says what to install.

    Example:

    ```python
    generator = keras_gan.architectures.dcgan_generator((28, 28, 1), latent_dim=64)
    report = keras_gan.export.export(generator, "digits.tflite", quantize="dynamic", card={"license": "CC BY 4.0"})
    report.signatures["generate"]  # "latent float32 (1, 64) -> image float32 (1, 28, 28, 1)"
    print(report)  # size, errors against the Keras generator, latencies
    ```
    """
    _check_backend(filepath)
    options = arguments.check_options(filepath, format, quantize, batch_sizes, output, card, accelerator, sample)
    arguments.check_together(metrics, data)
    condition = networks.common_condition(condition, generator=generator) or Unconditional()
    size = networks.noise_size(generator, prior, condition)
    prior = condition.complete(prior or Normal(size))
    shape = arguments.check_output(generator(networks.symbolic_inputs(condition, prior.latent_dim)), generator, output)
    if sample and not hasattr(prior, "from_uniform"):
        raise ValueError(f"prior must have from_uniform for sample=True. Received: {prior!r}.")
    rows = twins = None
    if data is not None:
        checks.check_metrics(metrics)
        twins = verify.twins(metrics)
        data, rows = arguments.check_data(data, shape, generator, condition)
    task = tasks.Generation(prior, condition, sample, output, rows)
    return _write(generator, task, shape, options, twins, data)


def export_translation(
    model,
    filepath,
    data=None,
    format=None,
    quantize=None,
    batch_sizes=(1,),
    output="float32",
    metrics=None,
    card=None,
    accelerator=None,
):
    """Writes a generator from images to images as a .tflite file, as ONNX or as a SavedModel, and checks it.

    It works as `export`, but the file has the signature `translate(image) -> image`, and pictures replace random
    latents: the written file is calibrated on them, and compared with the Keras generator. In ONNX, where names must
    differ, the input is called `source`.

    Args:
        model: Built `keras.Model` from images `(batch, height, width, channels)` in [-1, 1] to images, or a model that
            has one as its `best_generator`. Its output for a picture must not depend on other pictures in the batch.
        filepath: Path to write, as in `export`.
        data: Required: pictures like those that the file will process. Either an array of sources in [-1, 1], or what
            `fit` takes: batches of `(sources, targets)`, or a pair of arrays. The first 96 sources are used for
            calibration and checks; the metrics read all of the data, once.
        format: As in `export`.
        quantize: As in `export`.
        batch_sizes: As in `export`; signatures are called `translate`, `translate_4` and so on.
        output: `"float32"`, or `"uint8"` for images whose values are bytes, `round(x * 127.5 + 127.5)`, in and out.
            Defaults to `"float32"`.
        metrics: List of metrics as in `export`. They compare the targets with the outputs of the Keras generator for
            the same sources, and with the outputs of the file. Defaults to None: those that the model was compiled
            with, if the data have targets.
        card: As in `export`.
        accelerator: As in `export`.

    Returns:
        `Report`. It prints as a table.

    Raises:
        ValueError: As in `export`; if there are no data; or if the output for a picture depends on its batch, as with
            batch normalization that is called with `training=True`.
        TypeError: As in `export`.
        FileExistsError: As in `export`.
        OSError: As in `export`.
        ImportError: As in `export`.

    Example:

    ```python
    image = keras.Input((16, 16, 3))
    relief = keras.Model(image, keras.layers.Conv2D(1, 3, padding="same", activation="tanh")(image))
    photos = np.random.default_rng(0).uniform(-1, 1, (8, 16, 16, 3)).astype("float32")
    report = keras_gan.export.export_translation(relief, "relief.tflite", photos, quantize="float16")
    report.signatures["translate"]  # "image float32 (1, 16, 16, 3) -> image float32 (1, 16, 16, 1)"
    ```
    """
    _check_backend(filepath, " --data FOLDER")
    generator = getattr(model, "best_generator", model)
    if isinstance(card, Mapping) or card is None:
        card = {**_training(model), **(card or {})}
    options = arguments.check_options(filepath, format, quantize, batch_sizes, output, card, accelerator)
    check_model("model", generator)
    if networks.image_shape(generator) is None:
        raise ValueError(
            "model must take one image, (batch, height, width, channels). Received: a model with inputs "
            f"{', '.join(str(tuple(x.shape)) for x in generator.inputs)}."
        )
    sources, data, has_targets = arguments.check_pictures(data, generator, output)
    if metrics and not has_targets:
        raise ValueError("metrics need targets, which data must give with each source. Received: sources alone.")
    if metrics is None:
        metrics = getattr(model, "evaluation_metrics", []) if has_targets else []
    checks.check_metrics(metrics)
    twins = verify.twins(metrics) if metrics else None
    task = tasks.Translation(sources, output, tasks.SOURCE if options.format == "onnx" else "image")
    shape = arguments.check_output(generator(task.symbolic_inputs()), generator, output)
    if len(shape) != 3:
        raise ValueError(f"model must make images, (batch, height, width, channels). Received: outputs of {shape}.")
    # Imported here, so that this module can be imported on other backends without TensorFlow.
    from keras_gan.export import rewrite

    # In half precision, rounding depends on the batch size.
    generator = rewrite.rebuild(generator, task.symbolic_inputs(), fast=False)
    (alone,) = tasks.Translation(sources).signatures(generator)
    verify.check_alone(generator, alone, checks.RANGES.get(networks.output_activation(generator)))
    return _write(generator, task, shape, options, twins, data)


def _check_backend(filepath, options=""):
    if keras.config.backend() != "tensorflow":
        raise ValueError(
            f"Exports run on Keras's tensorflow backend. Received: {keras.config.backend()!r}. Save the GAN with "
            "gan.save('gan.keras') and run: KERAS_BACKEND=tensorflow keras-gan export gan.keras "
            f"{filepath}{options}"
        )


def _write(generator, task, shape, options, twins, data):
    """Writes a file for a task and checks it.

    Args:
        generator: Built `keras.Model`.
        task: `Generation` or `Translation`.
        shape: Tuple, the shape of one output.
        options: `keras_gan.export.arguments.Options`.
        twins: Result of `verify.twins`, to compare with `data`; or None.
        data: An array or batches.

    Returns:
        `Report`.
    """
    from keras_gan.export import rewrite

    filepath, format, quantize, output = options.filepath, options.format, options.quantize, options.output
    symbolic = task.symbolic_inputs()
    # The file is compared with the Keras generator in float32.
    reference = rewrite.rebuild(generator, symbolic, fast=False)
    expected = task.signatures(reference, options.batch_sizes)
    bounds = (-1, 1) if output == "uint8" else checks.RANGES.get(networks.output_activation(generator))
    try:
        with _scratch(filepath) as (folder, target):
            written = folder / filepath.name
            if format == "litert":
                fast = rewrite.rebuild(generator, symbolic, accelerator=options.accelerator)
                signatures = task.signatures(fast, options.batch_sizes)
                written.write_bytes(convert.to_tflite(fast, signatures, quantize, options.accelerator))
            elif format == "onnx":
                convert.write_onnx(reference, expected[0].inputs, written)
            else:
                convert.write_saved_model(reference, expected, written)
            errors = _check(written, expected, quantize, bounds, filepath)
            compared = {}
            if twins is not None:
                compared = verify.compare_metrics(runners.run(written), expected[0], twins, data, task.match, bounds)
            functions = {s.name: _describe(s, shape, output) for s in expected}
            card = report.complete_card(options.card, compared, _range(bounds, output))
            facts = {
                "card": card,
                "quantize": quantize,
                "functions": functions,
                **task.facts(),
                "max_error": errors.max_error,
                "mean_error": errors.mean_error,
            }
            metadata.write(written, format, facts)
            errors = _check(written, expected, quantize, bounds, filepath)
            on_gpu = None
            if format == "litert":
                on_gpu = _check_gpu(written, expected, quantize, bounds, filepath, options.accelerator)
            measured = latency.measure(written, seconds=latency.BRIEF)
            done = report.Report(
                filepath=filepath,
                format=format,
                task=task.tag,
                quantize=quantize,
                bytes=measured.bytes,
                parameters=generator.count_params(),
                **dataclasses.asdict(errors),
                metrics=compared,
                latencies=measured.latencies,
                not_delegated=measured.not_delegated,
                gpu=on_gpu,
                signatures=functions,
                card=card,
            )
            beside = folder / arguments.card_path(filepath).name
            beside.write_text(done.to_markdown(), encoding="utf-8")
            _put(written, target)
            shutil.move(beside, arguments.card_path(filepath))
    except OSError as error:
        raise OSError(error.errno, f"{filepath} was not written: {error.strerror or error}") from error
    return done


@contextlib.contextmanager
def _scratch(filepath):
    """Opens a context that gives an empty temporary folder, and the target path with links resolved."""
    target = filepath.resolve() if filepath.is_symlink() else filepath
    # In the same folder, so that the last step is a rename within one file system. The same name each time: the next
    # run removes the leftovers of a killed one.
    folder = target.with_name(f".part.{target.name}.export")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder, target
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def export_gan(gan, filepath, card=None, **options):
    """Exports a GAN's generator with the GAN's prior, condition, metrics, and facts for the model card."""
    for name in ("prior", "condition"):
        if name in options:
            raise ValueError(f"{name} must be left out: the GAN's own is exported. Received: {options[name]!r}.")
    if options.get("data") is not None:
        options.setdefault("metrics", gan.evaluation_metrics)
    generator = gan.best_generator
    if card is None or isinstance(card, Mapping):
        card = {**_training(gan), **(card or {})}
    return export(generator, filepath, card=card, prior=gan.noise_prior, condition=gan.condition, **options)


def _training(model):
    """Returns the entry `training` of the model card of a trained model, computed from the settings of the GAN."""
    steps = int(model.optimizer.iterations) if hasattr(model, "best_generator") and model.compiled else 0
    if not steps:
        return {}
    named = [getattr(model, "loss", None), *getattr(model, "penalties", []), getattr(model, "augmentation", None)]
    facts = [f"{steps:,} steps", *(type(each).__name__ for each in named if each is not None)]
    if getattr(model, "ema", None) is not None:
        facts.append(f"average of weights with momentum {model.ema:g}")
    return {"training": ", ".join(facts)}


def _check(written, expected, quantize, bounds, filepath):
    try:
        return verify.check(runners.run(written), expected, quantize, bounds)
    except ValueError as error:
        other = ""
        if written.suffix == ".onnx":
            other = " Write NAME.tflite or a SavedModel instead, or replace the layer that the message names."
        raise ValueError(f"The export failed its check and {filepath} was not written. {error}{other}") from error


def _check_gpu(written, expected, quantize, bounds, filepath, accelerator):
    if accelerator is None:
        return gpu.check_rules(written)
    try:
        return gpu.prove(written, expected, quantize, bounds)
    except ValueError as error:
        raise ValueError(f"The export failed its check on the GPU and {filepath} was not written. {error}") from error


def _describe(signature, shape, output):
    inputs = ", ".join(f"{name} {dtype} {_join(shape)}" for name, (shape, dtype) in signature.inputs.items())
    return f"{inputs} -> {tasks.OUTPUT} {output} {_join((signature.batch, *shape))}"


def _join(shape):
    return f"({', '.join('any' if n is None else str(n) for n in shape)})"


def _range(bounds, output):
    if output == "uint8":
        return "bytes, 0 to 255"
    return verify.describe_range(bounds) if bounds else "not bounded"


def _put(written, filepath):
    if filepath.is_dir():
        filepath.rmdir()
    if written.is_dir():
        shutil.move(written, filepath)
    else:
        os.replace(written, filepath)
