"""The callbacks that most runs need."""

import keras

from keras_gan.callbacks.backup import BackupAndRestore
from keras_gan.callbacks.metrics_log import MetricsLog
from keras_gan.callbacks.sample_grid import SampleGrid
from keras_gan.callbacks.training_health import TrainingHealth
from keras_gan.checks import check_path


def for_run(run_dir, monitor=None, grid=(), force=False, delete_checkpoint=True):
    """Makes the callbacks that most runs need, with all files in one folder.

    Args:
        run_dir: Path of the run's folder; made if it is missing.
        monitor: String, the log that defines the best epoch: the lowest value wins. Example: `"val_frechet_distance"`.
            Defaults to None: the last epoch's model is kept.
        grid: Dict of arguments for `SampleGrid`, or None for models that make no images. Defaults to an empty dict: a
            grid of 64 samples.
        force: As in `BackupAndRestore`. Defaults to False.
        delete_checkpoint: Likewise. Defaults to True.

    Returns:
        List of `keras.callbacks.Callback`: a backup in `backup/`, from which an interrupted run resumes; logs for
        TensorBoard; `metrics.jsonl`; pictures in `samples/`; alarms; and `gan.keras`, the best or the last model.

    Raises:
        ValueError: If `run_dir` is a URL, such as `gs://...`.

    Example:

    ```python
    gan = keras_gan.GAN(
        keras_gan.architectures.mlp_generator((8, 8, 1), latent_dim=4, units=(64,)),
        keras_gan.architectures.mlp_discriminator((8, 8, 1), units=(64,)),
    )
    gan.compile(metrics=[keras_gan.metrics.FrechetDistance()])
    images, held_out = np.random.default_rng(0).uniform(-1, 1, (2, 256, 8, 8, 1))
    callbacks = keras_gan.callbacks.for_run("runs/noise", "val_frechet_distance", grid={"n": 16})
    gan.fit(images, batch_size=64, epochs=20, validation_data=held_out, callbacks=callbacks)
    best = keras.models.load_model("runs/noise/gan.keras")
    ```
    """
    run_dir = check_path("run_dir", run_dir)
    kept = {} if monitor is None else {"monitor": monitor, "mode": "min", "save_best_only": True}
    return [
        BackupAndRestore(run_dir / "backup", delete_checkpoint=delete_checkpoint, force=force),
        keras.callbacks.TensorBoard(run_dir),
        MetricsLog(run_dir / "metrics.jsonl"),
        *([] if grid is None else [SampleGrid(run_dir, **dict(grid))]),
        TrainingHealth(run_dir),
        keras.callbacks.ModelCheckpoint(run_dir / "gan.keras", **kept),
    ]
