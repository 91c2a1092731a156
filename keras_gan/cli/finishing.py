"""What a run leaves when it has trained: the last GAN, the best one's file for phones, a walk and a report."""

import os
import platform
import shlex
from datetime import datetime

import keras
import numpy as np

import keras_gan
from keras_gan import backend, images, metrics, walks
from keras_gan.callbacks import read_metrics
from keras_gan.cli import report
from keras_gan.cli.common import Result
from keras_gan.cli.evaluate import MEANINGS, table

_SAMPLES, _NEIGHBORS = 64, 16
# A walk: pictures side by side, stops, and pictures from each stop to the next.
_COLUMNS, _STOPS, _FRAMES = 6, 6, 10


def finish(folder, gan, training, source, alarms, export=True):
    """Writes what a run leaves.

    Args:
        folder: `keras_gan.cli.run_folder.RunFolder`.
        gan: `keras_gan.GAN` as training left it.
        training: What `keras_gan.cli.train` trained: its `settings` and `features`.
        source: `keras_gan.cli.source.Source`.
        alarms: List of strings.
        export: Bool, whether there is to be a .tflite file. Defaults to True.

    Returns:
        `Result`.
    """
    print("Writing the report", flush=True)
    run_dir = folder.path
    gan.save(run_dir / "last.keras")
    curves = read_metrics(run_dir / "metrics.jsonl")
    best = keras.models.load_model(run_dir / "gan.keras")
    found = best.evaluate(source.held_out, verbose=0, return_dict=True)
    figures = {name: found[name] for name in MEANINGS if name in found}
    exported = None
    if export:
        exported = best.export(run_dir / "generator.tflite", quantize="dynamic", sample=True)
    _write_walk(run_dir / "walk.gif", best)
    samples = best.preview(_SAMPLES)
    some = samples[:_NEIGHBORS]
    gan_file = shlex.quote(str(run_dir / "gan.keras"))
    commands = [
        ("Draw samples:", f"keras-gan sample {gan_file} --out samples.png"),
        (
            "Measure these figures again:",
            f"keras-gan evaluate {gan_file} --data {shlex.quote(source.name)} "
            f"--split {shlex.quote(source.splits[1])} --features self_supervised",
        ),
        ("Train again, in another folder:", folder.command_line()),
        ("Look at the curves and pictures of each epoch:", f"tensorboard --logdir {run_dir}"),
    ]
    report.write(
        run_dir / "report.html",
        title=f"A generator of {source.title}",
        grid=images.grid(samples, columns=16),
        walk=(run_dir / "walk.gif").read_bytes(),
        figures=[(name.replace("_", " "), f"{value:.4g}", MEANINGS[name]) for name, value in figures.items()],
        curves=curves,
        neighbors=(some, metrics.nearest(training.features, some, source.plain).images[:, 0]),
        choices=training.settings.reasons(),
        facts=_facts(folder.options["begun"], best, source, curves, exported),
        alarms=alarms,
        commands=commands,
    )
    values = {"run_dir": str(run_dir), "steps": training.settings.steps, **figures}
    if exported is not None:
        values["export"] = exported.to_dict()
    return Result(values, _text(run_dir, figures, exported))


def _text(run_dir, figures, exported):
    files = {"report.html": "samples, figures, curves, settings: open it in a browser"}
    files |= {"gan.keras": "the best epoch's GAN", "last.keras": "the last one's"}
    if exported is not None:
        files["generator.tflite"] = f"{exported.bytes / 1e6:.1f} MB for a phone, off by {exported.mean_error:.4f}"
    files |= {"walk.gif": "a walk between samples", "samples/": "samples after each epoch"}
    return "\n".join([*table(figures), "", f"In {run_dir}:", *(f"  {name:20}{text}" for name, text in files.items())])


def _write_walk(path, gan):
    stops = np.reshape(gan.prior.sample(_STOPS * _COLUMNS, 0), (_STOPS, _COLUMNS, -1))
    way = walks.tour(stops, _FRAMES)
    # All pictures of a column are of one class.
    given = gan.condition.default_given(_COLUMNS)
    given = None if given is None else np.tile(given, len(way))
    inputs = gan.condition.generator_inputs(way.reshape(-1, way.shape[-1]), given)
    made = images.signed(gan.predict(inputs, verbose=0), gan.best_generator)
    rows = made.reshape(len(way), _COLUMNS, *made.shape[1:])
    pictures = [images.grid(row, columns=_COLUMNS) for row in rows]
    images.save_animation(path, pictures, scale=max(1, 96 // made.shape[1]))


def _facts(begun, gan, source, curves, exported):
    best = min(curves, key=lambda line: line.get("val_kernel_distance", 0))
    facts = [("Images", str(source).replace("\n", "; ")), ("Begun", begun)]
    facts.append(("Finished", f"{datetime.now():%Y-%m-%d %H:%M}"))
    facts.append(("Best epoch", f"{best['epoch'] + 1} of {len(curves)}"))
    for name, network in gan.players().items():
        facts.append((name.capitalize(), f"{network.count_params():,} parameters"))
    if exported is not None:
        facts.append(("generator.tflite", f"{exported.bytes / 1e6:.1f} MB, off by {exported.mean_error:.4f}"))
    facts.append(("Machine", machine()))
    versions = f"keras_gan {keras_gan.__version__}, Keras {keras.version()} on {keras.config.backend()}"
    return [*facts, ("Versions", f"{versions}, Python {platform.python_version()}")]


def machine():
    """Names the processor, the number of cores, and GPUs."""
    name = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            lines = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
        name = lines[0] if lines else name
    gpus = backend.gpus()
    return f"{name}, {os.cpu_count()} cores" + (f", {', '.join(gpus)}" if gpus else "")
