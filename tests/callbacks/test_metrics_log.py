import json

import keras

from keras_gan import callbacks


def test_each_epoch_is_a_line(points, make_gan, tmp_path):
    path = tmp_path / "run" / "metrics.jsonl"
    history = make_gan().fit(points, epochs=3, verbose=0, callbacks=[callbacks.MetricsLog(path)]).history
    lines = callbacks.read_metrics(path)
    assert [line.pop("epoch") for line in lines] == [0, 1, 2]
    assert [line["generator_loss"] for line in lines] == history["generator_loss"]
    assert set(lines[0]) == set(history)


def test_a_run_that_goes_on_replaces_what_it_repeats(points, make_gan, tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(json.dumps({"epoch": k, "old": 1.0}) + "\n" for k in range(4)))
    make_gan().fit(points, initial_epoch=2, epochs=3, verbose=0, callbacks=[callbacks.MetricsLog(path)])
    lines = callbacks.read_metrics(path)
    assert [("old" in line, line["epoch"]) for line in lines] == [(True, 0), (True, 1), (False, 2)]


def test_workers_beside_the_chief_write_none(tmp_path):
    from keras_gan.callbacks import fitting

    log, stop = callbacks.MetricsLog(tmp_path / "m.jsonl"), keras.callbacks.EarlyStopping("generator_loss")
    assert fitting.without_writers([log, stop]) == [stop]
    assert callbacks.read_metrics(tmp_path / "m.jsonl") == []
