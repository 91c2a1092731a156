"""The model card inside the file, for who finds it later without what lay beside it."""

import json

_NAME = "keras_gan.json"


def write(filepath, format, facts):
    """Puts a dict into a file: as the metadata `keras_gan.json` of a .tflite file, whose buffer is JSON in UTF-8; as
    properties of ONNX metadata; as `assets.extra/keras_gan.json` of a SavedModel.
    """
    text = json.dumps(facts)
    if format == "litert":
        filepath.write_bytes(_into_flatbuffer(filepath.read_bytes(), text.encode()))
    elif format == "onnx":
        import onnx

        model = onnx.load(str(filepath))
        onnx.helper.set_model_props(model, {_NAME: text})
        onnx.save(model, str(filepath))
    else:
        (filepath / "assets.extra").mkdir(exist_ok=True)
        (filepath / "assets.extra" / _NAME).write_text(text, encoding="utf-8")


def _into_flatbuffer(content, text):
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = list(text)
    entry.name, entry.buffer = _NAME, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
