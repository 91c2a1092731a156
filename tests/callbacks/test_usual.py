"""The callbacks that most runs need."""

import keras
import pytest

from keras_gan import callbacks


class Distance(keras.callbacks.Callback):
    """A distance that is lowest after the second of three epochs."""

    def on_epoch_end(self, epoch, logs=None):
        logs["val_distance"] = [3.0, 1.0, 2.0][epoch]


def files(folder):
    return {p.relative_to(folder).parts[0] for p in folder.rglob("*")}


@pytest.mark.parametrize(("monitor", "steps"), [("val_distance", 6), (None, 9)])
def test_the_best_or_the_last_model_is_kept(monitor, steps, make_image_gan, images, tmp_path):
    usual = callbacks.for_run(tmp_path / "run", monitor, grid={"n": 4, "columns": 1})
    make_image_gan().fit(images, batch_size=16, epochs=3, verbose=0, callbacks=[Distance(), *usual])
    gan = keras.models.load_model(tmp_path / "run" / "gan.keras")
    assert int(gan.optimizer.iterations) == steps
    assert files(tmp_path / "run") - {"validation"} == {"gan.keras", "metrics.jsonl", "samples", "train"}
    pictures = sorted((tmp_path / "run" / "samples").iterdir())
    assert len(pictures) == 3 and keras.utils.load_img(pictures[0]).size == (8, 4 * 8 + 3 * 2)


def test_a_run_that_was_cut_off_goes_on_and_points_have_no_pictures(points, make_gan, tmp_path):
    class Cut(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise InterruptedError

    def usual():
        return callbacks.for_run(tmp_path / "run", grid=None, delete_checkpoint=False)

    with pytest.raises(InterruptedError):
        make_gan().fit(points, batch_size=64, epochs=3, verbose=0, callbacks=[*usual(), Cut()])
    resumed = make_gan().fit(points, batch_size=64, epochs=3, verbose=0, callbacks=usual())
    assert int(resumed.model.optimizer.iterations) == 12
    assert [line["epoch"] for line in callbacks.read_metrics(tmp_path / "run" / "metrics.jsonl")] == [0, 1, 2]
    assert files(tmp_path / "run") == {"backup", "gan.keras", "metrics.jsonl", "train"}
