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
    devices = _opened(options.strategy, cluster)
    if options.batch_size % devices.replicas:
        raise TrainingError(
            f"--batch-size {options.batch_size} cannot be shared by {devices.replicas} devices; "
            f"pass a multiple of {devices.replicas}"
        )
    if devices.strategy:
        log(f"{devices.replicas} devices of {devices.workers} machines share each batch of {options.batch_size}")
    return devices


def _opened(wanted: str, cluster: Cluster) -> Devices:
    if cluster.workers > 1 or wanted == "multiworker":
        return Devices("multiworker", _strategy(()), cluster.workers)
    # without a GPU, a machine has one CPU device however many its cores; tests divide it
    found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(found) > 1:
        return Devices("mirrored", _strategy(tuple(device.name for device in found)))
    if wanted == "mirrored":
        log("--strategy mirrored: there is only one device, which needs no strategy")
    return Devices()


@functools.cache  # a second strategy of a process would number its messages like the first one, and mix them up
def _strategy(names: tuple[str, ...]) -> Any:  # noqa: ANN401 - a tf.distribute.Strategy, untyped
    """Return the strategy of these devices of this machine, or, if none are given, of the machines in TF_CONFIG."""
    return tf.distribute.MirroredStrategy(names) if names else tf.distribute.MultiWorkerMirroredStrategy()


def visible_gpus() -> list[Any]:
    """Return the GPUs that TensorFlow finds."""
    return list(tf.config.list_physical_devices("GPU"))


def check_agreement(devices: Devices, decided: str) -> None:
    """Raise TrainingError unless all workers have the same data and options, by comparing a text that contains them."""
    if devices.workers == 1:
        return
    mine = int(hashlib.sha256(decided.encode()).hexdigest()[:8], 16)
    per_replica = devices.strategy.run(lambda: tf.constant(mine, tf.int64))
    if int(devices.strategy.reduce("SUM", per_replica, axis=None)) != mine * devices.replicas:
        raise TrainingError("the workers have different data or options; use the same on all of them")


def learner_of(model: Model, devices: Devices, *, mixed_precision: bool) -> Model:
    """Return a copy of a model that the devices can train, in their scope; the model itself if possible.

    Mixed precision computes in float16 and keeps float32 weights (Micikevicius et al. 2018, arXiv:1710.03740); the
    normalisation of the pixels and the last layer stay float32.
    """
    if not devices.strategy and not mixed_precision:
        return model
    last = model.layers[-1].name

    def copied(layer: Any) -> Any:  # noqa: ANN401 - Keras ships no types
        config = layer.get_config()
        wide = layer.name == last or isinstance(layer, (keras.layers.Rescaling, keras.layers.InputLayer))
        if mixed_precision and not wide:
            config["dtype"] = "mixed_float16"
        return layer.__class__.from_config(config)

    learner = keras.models.clone_model(model, clone_function=copied, recursive=True)
    learner.set_weights(model.get_weights())
    return learner
