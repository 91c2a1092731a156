"""Files written after training: the last model, the best model's file for phones, and a report."""

import os
import platform
import shlex
from datetime import datetime

import keras

import keras_gan
from keras_gan import backend
from keras_gan.callbacks import read_metrics
from keras_gan.cli import report
from keras_gan.cli.common import Result, count_parameters
from keras_gan.cli.evaluate import MEANINGS, table


def finish(folder, model, training, task, alarms, export=True):
    """Writes the files that a run leaves in its folder.

    Args:
        folder: `keras_gan.cli.run_folder.RunFolder`.
        model: `keras_gan.AdversarialModel` after training.
        training: `keras_gan.cli.training.Training` that trained the model, with `settings` and `features`.
        task: `keras_gan.cli.generating.Generation`, or another of its kind.
        alarms: List of strings.
        export: Bool, whether to write a .tflite file. Defaults to True.

    Returns:
        `Result`.
    """
    print("Writing the report", flush=True)
    run_dir = folder.path
    model.save(run_dir / "last.keras")
    curves = read_metrics(run_dir / "metrics.jsonl")
    best = keras.models.load_model(run_dir / "gan.keras")
    found = best.evaluate(task.source.held_out, verbose=0, return_dict=True)
    found |= task.figures(training.features)
    figures = {name: found[name] for name in MEANINGS if name in found}
    files = {"report.html": "pictures, metrics, curves, settings: open it in a browser"}
    files |= {"gan.keras": "the best epoch's model", "last.keras": "the last epoch's model"}
    exports = task.export(best, run_dir) if export else {}
    files |= {name: f"{e.bytes / 1e6:.1f} MB for a phone, mean error {e.mean_error:.4f}" for name, e in exports.items()}
    files |= {**dict(task.files), "samples/": "pictures after each epoch"}
    opening, sections = task.show(best, run_dir, training.features)
    report.write(
        run_dir / "report.html",
        title=task.title,
        opening=opening,
        figures=[(name.replace("_", " "), f"{value:.4g}", MEANINGS[name]) for name, value in figures.items()],
        sections=sections,
        curves=curves,
        choices=training.settings.reasons(),
        facts=_facts(folder.options["begun"], best, training.settings.monitor, task, curves, exports),
        alarms=alarms,
        commands=[
            *task.commands(shlex.quote(str(run_dir / "gan.keras"))),
            ("Train again, in another folder:", folder.command_line()),
            ("Look at the curves and pictures of each epoch:", f"tensorboard --logdir {run_dir}"),
        ],
    )
    values = {"run_dir": str(run_dir), "steps": training.settings.steps, **figures}
    if exports:
        values["exports"] = [exported.to_dict() for exported in exports.values()]
    room = max(20, *(len(name) + 2 for name in files))
    listed = [f"  {name:{room}}{text}" for name, text in files.items()]
    return Result(values, "\n".join([*table(figures), "", f"In {run_dir}:", *listed]))


def _facts(begun, model, monitor, task, curves, exports):
    best = min(curves, key=lambda line: line.get(monitor, 0))
    facts = [("Images", str(task.source).replace("\n", "; ")), ("Begun", begun)]
    facts.append(("Finished", f"{datetime.now():%Y-%m-%d %H:%M}"))
    facts.append(("Best epoch", f"{best['epoch'] + 1} of {len(curves)}"))
    for name, count in count_parameters(model).items():
        facts.append((name.capitalize(), f"{count:,} parameters"))
    for name, exported in exports.items():
        facts.append((name, f"{exported.bytes / 1e6:.1f} MB, mean error {exported.mean_error:.4f}"))
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
