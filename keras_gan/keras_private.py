"""Every private name of Keras that this package overrides, reads or calls.

Mixins stand for methods that are overridden: each calls a public method of ours. Functions stand for what is read.
`NAMES` lists all of them, and `tests/test_architecture.py` says which is gone when Keras moves.
"""

import contextlib

# === Methods of `keras.Model` ===


class FinalLogs:
    """Mixin for `keras.Model`, before it: `final_logs(logs)` makes an epoch's logs of those of its last step."""

    def _get_metrics_result_or_logs(self, logs):
        return self.final_logs(logs)


class StepLoop:
    """Mixin for `keras.Model` on TensorFlow, before it: `make_step_loop(step)` makes the loop over batches.

    `super().make_step_loop` is Keras's own loop. The model counts as built.
    """

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        # Keras takes a batch apart here to build what isn't built.
        pass

    def _make_function(self, step_function):
        return self.make_step_loop(step_function)

    def make_step_loop(self, step_function):
        return super()._make_function(step_function)


# A keyword argument of `evaluate` that `fit` passes.
IN_FIT = "_use_cached_eval_dataset"


def start_at(model, epoch):
    """Sets the epoch that `fit` begins with; None for its own `initial_epoch`."""
    model._initial_epoch = epoch


# === Layers and saving ===


def layers_of(model):
    """Returns the list of a model's layers, with those inside of layers."""
    return list(model._flatten_layers())


# Keras writes classes of a backend of its own into files under this module.
BACKEND_MODULES = "keras.src.backend."


def remember_what_saving_skips():
    """Makes Keras look up once which attributes of an optimizer it leaves out of files.

    Keras 3.15 means to remember, but writes the answer under one name and asks for it under another
    (`get_attr_skipset` in its `saving_lib.py`). So it makes an optimizer each time it saves one: 70 kB that TensorFlow
    never frees, and on JAX an array on all processes, for which a process that saves alone waits in vain.
    `tests/test_gan.py` notices when Keras remembers.
    """
    # Without these names saving works as Keras has it.
    with contextlib.suppress(ImportError, AttributeError):
        from keras.src.backend.common import global_state
        from keras.src.saving import saving_lib

        if global_state.get_global_attribute("saving_attr_skiplist_Optimizer") is None:
            skipped = saving_lib.get_attr_skipset("Optimizer")
            global_state.set_global_attribute("saving_attr_skiplist_Optimizer", skipped)
