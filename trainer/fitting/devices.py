"""Which devices train: one, all of this machine, or those of several machines."""

from __future__ import annotations

import contextlib
import functools
import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import tensorflow as tf

from trainer.errors import TrainingError
from trainer.progress import say

if TYPE_CHECKING:
    from trainer.fitting.cluster import Cluster
    from trainer.networks.models import Model
    from trainer.options import Options


class Devices(NamedTuple):
    """What trains.

    Attributes:
        name: "none", "mirrored" or "multiworker".
        strategy: a tf.distribute.Strategy; None for one device.
        workers: processes, one a machine.

    """

    name: str = "none"
    strategy: Any = None
    workers: int = 1

    @property
    def replicas(self) -> int:
        """Give how many devices share each batch."""
        return int(self.strategy.num_replicas_in_sync) if self.strategy else 1

    def scope(self) -> Any:  # noqa: ANN401 - a context manager
        """Give the context in which a model that these devices train is built."""
        return self.strategy.scope() if self.strategy else contextlib.nullcontext()

    def to_json(self) -> dict[str, Any]:
        """Give a JSON object."""
        gpus = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in visible_gpus()]
        return {"strategy": self.name, "workers": self.workers, "replicas": self.replicas, "gpus": gpus}


def open_devices(options: Options, cluster: Cluster) -> Devices:
    """Open the devices that options ask for; before all else that TensorFlow does.

    Raises:
        TrainingError: the batch cannot be divided, or mixed precision is wanted without a GPU.

    """
    if options.mixed_precision and not visible_gpus():
        raise TrainingError(
            "--mixed-precision: TensorFlow sees no GPU, and half precision is slow without one; "
            "leave it out, or mend the GPU's driver"
        )
    devices = _opened(options.strategy, cluster)
    if options.batch_size % devices.replicas:
        raise TrainingError(
            f"--batch-size {options.batch_size} cannot be shared by {devices.replicas} devices; "
            f"pass a multiple of {devices.replicas}"
        )
    if devices.strategy:
        say(f"{devices.replicas} devices of {devices.workers} machines share each batch of {options.batch_size}")
    return devices


def _opened(wanted: str, cluster: Cluster) -> Devices:
    if cluster.workers > 1 or wanted == "multiworker":
        return Devices("multiworker", _strategy(()), cluster.workers)
    # without a GPU, a machine has one CPU device however many its cores; tests divide it
    found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(found) > 1:
        return Devices("mirrored", _strategy(tuple(device.name for device in found)))
    if wanted == "mirrored":
        say("--strategy mirrored: there is one device, which needs none")
    return Devices()


@functools.cache  # a second strategy of a process would number its messages as the first did, and mix them up
def _strategy(names: tuple[str, ...]) -> Any:  # noqa: ANN401 - a tf.distribute.Strategy, untyped
    """Give the strategy of these devices of this machine, or of the machines in TF_CONFIG where none is named."""
    return tf.distribute.MirroredStrategy(names) if names else tf.distribute.MultiWorkerMirroredStrategy()


def visible_gpus() -> list[Any]:
    """Give the GPUs that TensorFlow sees."""
    return list(tf.config.list_physical_devices("GPU"))


def check_agreement(devices: Devices, decided: str) -> None:
    """Raise TrainingError unless all workers were given the same, told by a text that all of it decides."""
    if devices.workers == 1:
        return
    mine = int(hashlib.sha256(decided.encode()).hexdigest()[:8], 16)
    per_replica = devices.strategy.run(lambda: tf.constant(mine, tf.int64))
    if int(devices.strategy.reduce("SUM", per_replica, axis=None)) != mine * devices.replicas:
        raise TrainingError("the workers have different data or options; give all of them the same")


def learner_of(model: Model, devices: Devices, *, mixed_precision: bool) -> Model:
    """Give a copy of a model that the devices can train, in their scope; the model itself where it can be.

    Mixed precision computes in float16 and keeps float32 weights (Micikevicius et al. 2018, arXiv:1710.03740); the
    pixels' normalisation and the last layer stay float32.
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
