"""Malicious files, of the kinds of vulnerabilities found in Keras since 2024."""

import io
import json
import os
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

import keras_gan
from keras_gan import architectures as A
from keras_gan import saving


@pytest.fixture
def saved(make_image_gan, tmp_path):
    make_image_gan().save(tmp_path / "gan.keras")
    return tmp_path / "gan.keras"


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path, contents, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)


def edit_config(path, edit):
    contents = members(path)
    config = json.loads(contents["config.json"])
    edit(config)
    write(path, {**contents, "config.json": json.dumps(config)})


def edit_weights(path, edit):
    contents = members(path)
    content = io.BytesIO(contents["model.weights.h5"])
    with h5py.File(content, "a") as weights:
        edit(weights)
    write(path, {**contents, "model.weights.h5": content.getvalue()})


def refused(path, match):
    """The file is refused in one line that names it, and nothing appears in its folder or in the working one."""
    before = sorted(path.parent.rglob("*")), sorted(os.listdir())
    with pytest.raises(ValueError, match=match) as caught:
        saving.load_untrusted(path)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message and len(message) < 700
    assert (sorted(path.parent.rglob("*")), sorted(os.listdir())) == before


def first_array(weights):
    names = []
    weights.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) and item.size else None)
    return names[0]


def test_a_gan_comes_back(make_image_gan, tmp_path):
    gan = make_image_gan()
    gan.save(tmp_path / "gan.keras")
    loaded = saving.load_untrusted(tmp_path / "gan.keras")
    assert not loaded.compiled
    np.testing.assert_array_equal(loaded.sample(4, seed=0), gan.sample(4, seed=0))
    gan.generator.save(tmp_path / "generator.keras")
    assert saving.load_untrusted(tmp_path / "generator.keras").count_params() == gan.generator.count_params()


def test_what_it_was_trained_by_is_not_built(make_gan, tmp_path):
    gan = make_gan()
    gan.save(tmp_path / "gan.keras")
    edit_config(tmp_path / "gan.keras", lambda c: c["compile_config"].update(loss={"class_name": "Lambda"}))
    assert not saving.load_untrusted(tmp_path / "gan.keras").compiled
    # Only on request.
    with pytest.raises(ValueError, match="It has a Lambda, which can run code"):
        saving.load_untrusted(tmp_path / "gan.keras", compile=True)
    gan.save(tmp_path / "gan.keras")
    assert saving.load_untrusted(tmp_path / "gan.keras", compile=True).compiled


@keras.saving.register_keras_serializable(package="test_saving")
class Mine(keras.layers.Layer):
    def call(self, x):
        return 2 * x


def test_the_users_own_layers_are_known_once_they_are_imported(tmp_path):
    path = tmp_path / "mine.keras"
    keras.Sequential([keras.Input((2,)), Mine()]).save(path)
    assert saving.load_untrusted(path).predict(np.ones((1, 2)), verbose=0).tolist() == [[2, 2]]
    edit_config(path, lambda c: c["config"]["layers"][1].update(class_name="Other", registered_name="x>Other"))
    refused(path, "needs .*Other, which is not registered")


def test_what_is_not_registered_is_named_within_a_gan(tmp_path):
    custom = keras.saving.get_custom_objects()
    networks = keras.Sequential([keras.Input((4,)), Mine(), keras.layers.Dense(2)]), A.mlp_discriminator((2,), (4,))
    keras_gan.GAN(*networks, ema=None).save(tmp_path / "gan.keras")
    registered = custom.pop("test_saving>Mine")
    try:
        refused(tmp_path / "gan.keras", r"It needs (tests.saving.)?test_saving[.>]Mine, which is not registered\.")
    finally:
        custom["test_saving>Mine"] = registered
    assert saving.load_untrusted(tmp_path / "gan.keras").count_params() > 0


@pytest.mark.parametrize("name", ["x.h5", "x.hdf5", "x", "x.tf"])
def test_a_gan_is_saved_as_keras_alone(name, make_gan, tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.keras.*Received: .*x.*Write '.*x\.keras', or save_weights"):
        make_gan().save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


# === Other files ===


def test_hdf5_is_refused_whatever_it_is_called(tmp_path):
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)]).save(tmp_path / "model.h5")
    refused(tmp_path / "model.h5", "name does not end in .keras")
    os.rename(tmp_path / "model.h5", tmp_path / "model.keras")
    refused(tmp_path / "model.keras", "not a zip archive")


def test_a_folder_and_nothing_are_refused(tmp_path):
    (tmp_path / "folder.keras").mkdir()
    (tmp_path / "folder.keras" / "config.json").write_text("{}")
    refused(tmp_path / "folder.keras", "no such file")
    refused(tmp_path / "none.keras", "no such file")


@pytest.mark.parametrize("address", ["hf://user/gan", "gs://bucket/gan.keras", Path("gs://bucket/gan.keras")])
def test_addresses_are_refused(address):
    with pytest.raises(ValueError, match=f"Received: {address}. It is an address: download the file first"):
        saving.load_untrusted(address)


# === Archives ===


@pytest.mark.parametrize("name", ["../escaped.txt", "/tmp/escaped.txt", "assets/vocabulary.txt", "model.weights.npz"])
def test_other_members_are_refused(saved, name):
    write(saved, {**members(saved), name: b"x"})
    refused(saved, "must hold config.json, metadata.json, model.weights.h5, once each")


def test_missing_and_repeated_members_are_refused(saved):
    contents = members(saved)
    for name in contents:
        write(saved, {k: v for k, v in contents.items() if k != name})
        refused(saved, "once each")
    write(saved, contents)
    with zipfile.ZipFile(saved, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("config.json", "{}")
    refused(saved, "once each")


def test_compressed_members_are_refused(saved):
    bomb = {**members(saved), "metadata.json": b" " * 50_000_000}
    write(saved, bomb, zipfile.ZIP_DEFLATED)
    assert saved.stat().st_size < 200_000
    refused(saved, "must be stored uncompressed")


# === config.json ===


def replace_layer(**config):
    def edit(gan):
        gan["config"]["generator"]["config"]["layers"][1] = {"registered_name": None, "build_config": {}, **config}

    return edit


TOUCH = "import pathlib; pathlib.Path('touched').touch()"


def unsafe(name, module="keras.layers", **config):
    return {"module": module, "class_name": name, "config": {"name": "x", **config}}


@pytest.mark.parametrize(
    "layer",
    [
        unsafe("Lambda", function={"class_name": "__lambda__", "config": {"value": "4wE="}}),
        unsafe("Lambda", function={"class_name": "function", "config": "load_model", "module": "keras.models"}),
        unsafe("TFSMLayer", filepath="/tmp", call_endpoint="serve"),
        unsafe("TFSMLayer", module="keras.src.export.tfsm_layer", filepath="/tmp", call_endpoint="serve"),
        unsafe("TorchModuleWrapper", module_bytes="gASV"),
        unsafe("JaxLayer", call_fn=None),
        unsafe("StringLookup", vocabulary="/etc/passwd"),
        unsafe("TextVectorization", vocabulary="/etc/passwd"),
        unsafe("InceptionV3", "keras_gan.metrics.features", weights="/etc/passwd")
        | {"registered_name": "keras_gan>InceptionV3"},
        unsafe("Popen", "subprocess", args=["touch", "touched"]),
        unsafe("function", "os") | {"config": "system"},
        unsafe("function", "keras.utils") | {"config": "get_file"},
        unsafe("function", "keras.applications.resnet") | {"config": "ResNet50"},
        unsafe("Progbar", "keras.src.utils.progbar", target=1),
        unsafe("Layer", "keras.src.saving.file_editor"),
        unsafe("KerasFileEditor", "keras.saving", filepath="/tmp/x.keras"),
        unsafe("Dense", units={"class_name": "__typespec__", "spec_name": "TensorSpec", "config": []}),
        unsafe("Wrapper", layer=unsafe("Lambda", None)),
    ],
    ids=lambda layer: f"{layer['module']}.{layer['class_name']}",
)
@pytest.mark.parametrize("unlocked", [False, True])
def test_code_and_other_files_are_refused(saved, layer, unlocked, monkeypatch):
    edit_config(saved, replace_layer(**layer))
    monkeypatch.setattr(keras.saving, "load_model", lambda *a, **k: pytest.fail("It was refused too late."))
    if unlocked:
        keras.config.enable_unsafe_deserialization()
    try:
        refused(saved, "which can run code or read other files|which is not registered")
    finally:
        keras.src.backend.common.global_state.set_global_attribute("safe_mode_saving", None)


def test_a_real_lambda_does_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    layers = [keras.Input((2,)), keras.layers.Lambda(lambda x: (exec(TOUCH), x)[1], output_shape=(2,))]
    model = keras.Sequential(layers)
    model.save("lambda.keras")
    (tmp_path / "touched").unlink(missing_ok=True)
    refused(tmp_path / "lambda.keras", "It has a .*ambda")
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"class_name": 3}', "[" * 100_000, '{"class_name": "GAN"}'])
def test_a_config_that_is_none(saved, text):
    write(saved, {**members(saved), "config.json": text})
    refused(saved, "whole and safe")


# === model.weights.h5 ===


@pytest.mark.parametrize("kind", ["external link", "soft link", "external storage", "virtual"])
def test_weights_that_lie_elsewhere(saved, tmp_path, kind):
    with h5py.File(tmp_path / "secret.h5", "w") as secret:
        secret["x"] = np.ones(4)

    def edit(weights):
        name = first_array(weights)
        shape = weights[name].shape
        del weights[name]
        if kind == "external link":
            weights[name] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "x")
        elif kind == "soft link":
            weights[name] = h5py.SoftLink("/somewhere")
        elif kind == "external storage":
            file = [(str(tmp_path / "secret.h5"), 0, h5py.h5f.UNLIMITED)]
            weights.create_dataset(name, shape, "float32", external=file)
        else:
            layout = h5py.VirtualLayout((4,), "float64")
            layout[:] = h5py.VirtualSource(str(tmp_path / "secret.h5"), "x", shape=(4,))
            weights.create_virtual_dataset(name, layout)

    edit_weights(saved, edit)
    refused(saved, "weights must lie in the file")


def test_weights_that_grow_when_they_are_read(saved):
    def edit(weights):
        name = first_array(weights)
        del weights[name]
        weights.create_dataset(name, (10**6, 10**6), "float32", chunks=(100, 100), compression="gzip")

    edit_weights(saved, edit)
    refused(saved, "stored in full")


def test_weights_that_are_missing_or_of_another_shape(saved):
    def remove(weights):
        del weights[first_array(weights)]

    edit_weights(saved, remove)
    refused(saved, "whole and safe")


def test_it_is_public():
    assert keras_gan.saving.load_untrusted is saving.untrusted.load_untrusted
