"""Embeds the model card in the exported file."""

import json

from keras_gan.keras_private import add_metadata

_NAME = "keras_gan.json"


def write(filepath, format, facts):
    """Writes a dict into a file: as the metadata `keras_gan.json` of a .tflite file, whose buffer is JSON in UTF-8; as
    the property of that name of ONNX metadata; as `assets.extra/keras_gan.json` of a SavedModel.
    """
    text = json.dumps(facts)
    if format == "litert":
        filepath.write_bytes(add_metadata(filepath.read_bytes(), _NAME, text.encode()))
    elif format == "onnx":
        import onnx

        model = onnx.load(str(filepath))
        onnx.helper.set_model_props(model, {_NAME: text})
        onnx.save(model, str(filepath))
    else:
        (filepath / "assets.extra").mkdir(exist_ok=True)
        (filepath / "assets.extra" / _NAME).write_text(text, encoding="utf-8")
