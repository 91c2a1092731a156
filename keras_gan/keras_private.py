"""Every private name of Keras, TensorFlow and LiteRT that the package reads, so that one file breaks when they move."""


# === Layers and data ===


def dataset_inputs(dataset):
    """Lists the datasets that a `tf.data.Dataset`, or a distributed one, is made of; anything else of none."""
    import tensorflow as tf

    if isinstance(dataset, tf.distribute.DistributedDataset):
        return [dataset._original_dataset]
    return list(dataset._inputs()) if isinstance(dataset, tf.data.Dataset) else []
