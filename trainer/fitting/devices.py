"""Select the devices that train: one, all of this machine, or those of several machines."""

from __future__ import annotations

import contextlib
import functools
import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import tensorflow as tf

from trainer.errors import TrainingError
from trainer.progress import log

if TYPE_CHECKING:
    from trainer.fitting.cluster import Cluster
    from trainer.networks.models import Model
    from trainer.options import Options


class Devices(NamedTuple):
    """The devices that train.

    Attributes:
        name: "none", "mirrored" or "multiworker".
        strategy: a tf.distribute.Strategy; None for one device.
        workers: number of processes, one on each machine.

    """

    name: str = "none"
    strategy: Any = None
    workers: int = 1

    @property
    def replicas(self) -> int:
        """Return the number of devices that share each batch."""
        return int(self.strategy.num_replicas_in_sync) if self.strategy else 1

    def scope(self) -> Any:  # noqa: ANN401 - a context manager
        """Return the context in which a model for these devices is built."""
        return self.strategy.scope() if self.strategy else contextlib.nullcontext()

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        gpus = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in visible_gpus()]
        return {"strategy": self.name, "workers": self.workers, "replicas": self.replicas, "gpus": gpus}


def open_devices(options: Options, cluster: Cluster) -> Devices:
    """Open the devices that the options ask for; call it before anything else uses TensorFlow.

    Raises:
        TrainingError: the batch cannot be divided, or mixed precision is requested without a GPU.

    """
    if options.mixed_precision and not visible_gpus():
        raise TrainingError(
            "--mixed-precision: TensorFlow finds no GPU, and half precision is slow without one; "
            "leave the option out, or fix the GPU's driver"
        )
    devices = _select_devices(options.strategy, cluster)
    if options.batch_size % devices.replicas:
        raise TrainingError(
            f"--batch-size {options.batch_size} cannot be shared by {devices.replicas} devices; "
            f"pass a multiple of {devices.replicas}"
        )
    if devices.strategy:
        log(f"{devices.replicas} devices of {devices.workers} machines share each batch of {options.batch_size}")
    return devices


def _select_devices(strategy: str, cluster: Cluster) -> Devices:
    if cluster.workers > 1 or strategy == "multiworker":
        return Devices("multiworker", _strategy(()), cluster.workers)
    # without a GPU, TensorFlow has one CPU device for all cores; tests divide it into several
    available = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(available) > 1:
        return Devices("mirrored", _strategy(tuple(device.name for device in available)))
    if strategy == "mirrored":
        log("--strategy mirrored: there is only one device, which needs no strategy")
    return Devices()


@functools.cache  # two strategies of a process would give their messages the same numbers, and confuse them
def _strategy(names: tuple[str, ...]) -> Any:  # noqa: ANN401 - a tf.distribute.Strategy, untyped
    """Return the strategy of these devices of this machine, or, if none are given, of the machines in TF_CONFIG."""
    return tf.distribute.MirroredStrategy(names) if names else tf.distribute.MultiWorkerMirroredStrategy()


def visible_gpus() -> list[Any]:
    """Return the GPUs that TensorFlow finds."""
    return list(tf.config.list_physical_devices("GPU"))


def check_agreement(devices: Devices, settings: str) -> None:
    """Raise TrainingError if a text that identifies the data and the options differs between the workers."""
    if devices.workers == 1:
        return
    digest = int(hashlib.sha256(settings.encode()).hexdigest()[:8], 16)
    per_replica = devices.strategy.run(lambda: tf.constant(digest, tf.int64))
    if int(devices.strategy.reduce("SUM", per_replica, axis=None)) != digest * devices.replicas:
        raise TrainingError("the workers have different data or options; use the same on all of them")


def trainable_copy(model: Model, devices: Devices, *, mixed_precision: bool) -> Model:
    """Return a copy of a model for the devices and the precision; the model itself if it needs no copy.

    Call it in the scope of the devices.
    Mixed precision computes in float16 and keeps float32 weights (Micikevicius et al. 2018, arXiv:1710.03740); the
    normalisation of the pixels and the last layer stay float32.
    """
    if not devices.strategy and not mixed_precision:
        return model
    last = model.layers[-1].name

    def copy_layer(layer: Any) -> Any:  # noqa: ANN401 - Keras ships no types
        """Copy a layer, in half precision if it may compute in it."""
        config = layer.get_config()
        float32 = layer.name == last or isinstance(layer, (keras.layers.Rescaling, keras.layers.InputLayer))
        if mixed_precision and not float32:
            config["dtype"] = "mixed_float16"
        return layer.__class__.from_config(config)

    copy = keras.models.clone_model(model, clone_function=copy_layer, recursive=True)
    copy.set_weights(model.get_weights())
    return copy
