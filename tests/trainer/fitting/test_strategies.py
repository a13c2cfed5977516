"""Several devices, and half precision, train the same model as one device in float32."""

import csv
import json
import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from socket import socket

import keras
import numpy as np
import pytest

from trainer.cli import main
from trainer.errors import TrainingError
from trainer.fitting import devices as devices_module
from trainer.fitting.cluster import ALONE, read_cluster
from trainer.options import Options
from trainer.pipeline import train

# 34 photographs for training, an even number, and 9 for validation: in its last batch, one device has no row.
OPTIONS = Options(
    model="cnn", image_size=43, epochs=2, patience=9, learning_rate=1e-4, batch_size=8, validation_fraction=0.2, seed=3
)
WORKER = """
import sys
from pathlib import Path
from trainer.tensorflow_setup import require_tensorflow
require_tensorflow()
from trainer.options import Options
from trainer.pipeline import train
result = train(Path(sys.argv[1]), Path(sys.argv[2]), Options(**eval(sys.argv[3])))
print("nothing" if result is None else result.summary())
"""
MIRRORED = """
from trainer.tensorflow_setup import require_tensorflow
require_tensorflow()
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory, draw_set):
    return draw_set(tmp_path_factory.mktemp("strategies") / "data", labels=("cat", "dog", "owl"), count=20)


@pytest.fixture(scope="module")
def single_device_run(source, tmp_path_factory):
    run = tmp_path_factory.mktemp("single") / "run"
    train(source, run, OPTIONS)
    return run


def history(run):
    rows = list(csv.DictReader((run / "history.csv").open()))
    return np.array([[float(row[key]) for key in ("loss", "accuracy", "val_loss", "val_accuracy")] for row in rows])


def weights(run):
    return keras.models.load_model(run / "model.keras", compile=False).get_weights()


def assert_same_training(run, other_run):
    np.testing.assert_allclose(history(run), history(other_run), rtol=1e-5)
    for one, other in zip(weights(run), weights(other_run), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def free_ports(count):
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("localhost", 0))
        return [one.getsockname()[1] for one in sockets]


def test_two_workers_train_the_same_model_as_one_and_only_the_chief_writes_it(source, single_device_run, tmp_path):
    addresses = [f"localhost:{port}" for port in free_ports(2)]
    workers = []
    for index in range(2):
        config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        out = tmp_path / f"machine{index}" / "run"
        command = [sys.executable, "-c", WORKER, source, out, repr(vars(OPTIONS))]
        environment = os.environ | {"TF_CONFIG": json.dumps(config)}
        environment.pop("TF_ENABLE_ONEDNN_OPTS", None)  # set in this process for one machine
        workers.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        )
    try:
        results = [worker.communicate(timeout=300) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    assert [worker.returncode for worker in workers] == [0, 0], results
    assert "accuracy" in results[0][0]
    assert results[1][0] == "nothing\n"
    assert not (tmp_path / "machine1").exists()
    assert_same_training(tmp_path / "machine0" / "run", single_device_run)
    devices = json.loads((tmp_path / "machine0" / "run" / "metrics.json").read_text())["devices"]
    assert devices == {"strategy": "multiworker", "workers": 2, "replicas": 2, "gpus": []}


def test_two_devices_of_one_machine_train_the_same_model_as_one(source, single_device_run, tmp_path):
    command = [sys.executable, "-c", MIRRORED + WORKER, source, tmp_path / "run", repr(vars(OPTIONS))]
    environment = os.environ | {"TF_ENABLE_ONEDNN_OPTS": "0"}  # its kernels use one CPU device; the test divides it
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert_same_training(tmp_path / "run", single_device_run)
    devices = json.loads((tmp_path / "run" / "metrics.json").read_text())["devices"]
    assert devices == {"strategy": "mirrored", "workers": 1, "replicas": 2, "gpus": []}


def layers_of(model):
    return [layer for outer in model.layers for layer in (outer.layers if hasattr(outer, "layers") else [outer])]


def test_mixed_precision_computes_in_float16_and_writes_a_float32_model(
    source, single_device_run, tmp_path, monkeypatch
):
    with pytest.raises(TrainingError, match=r"--mixed-precision: TensorFlow finds no GPU"):
        train(source, tmp_path / "run", replace(OPTIONS, mixed_precision=True))
    assert not (tmp_path / "run").exists()
    cpus = devices_module.tf.config.list_physical_devices("CPU")
    monkeypatch.setattr(devices_module, "visible_gpus", lambda: cpus)  # a CPU computes in float16 too, slowly
    copies = []
    trainable_copy = devices_module.trainable_copy
    monkeypatch.setattr(
        "trainer.fitting.job.trainable_copy",
        lambda *args, **options: copies.append(trainable_copy(*args, **options)) or copies[-1],
    )
    train(source, tmp_path / "run", replace(OPTIONS, mixed_precision=True))
    assert [layer.compute_dtype for layer in layers_of(copies[0]) if "conv" in layer.name] == ["float16"] * 3
    assert copies[0].layers[-1].compute_dtype == "float32"
    model = keras.models.load_model(tmp_path / "run" / "model.keras", compile=False)
    assert {layer.dtype_policy.name for layer in layers_of(model)} == {"float32"}
    np.testing.assert_allclose(history(tmp_path / "run"), history(single_device_run), rtol=0.02)
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["arguments"]["mixed_precision"] is True


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "TF_CONFIG is not set; set it on every machine, as"),
        ("{", "TF_CONFIG: not readable"),
        ('{"cluster": {"worker": ["a:1"]}}', "TF_CONFIG: not readable .KeyError 'task'"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}', "no task worker 1"),
        ('{"cluster": {"ps": ["a:1"]}, "task": {"type": "ps", "index": 0}}', "'ps' is neither chief nor worker"),
    ],
)
def test_an_invalid_tf_config_is_reported_before_the_data_is_read(tmp_path, monkeypatch, capsys, text, message):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(TrainingError, match=message):
        read_cluster("multiworker")
    assert main(["train", str(tmp_path / "none"), "--out", str(tmp_path / "run"), "--strategy", "multiworker"]) == 1
    assert "edge-train: " in capsys.readouterr().err
    assert read_cluster("mirrored") == ALONE


def test_the_first_worker_is_the_chief_if_the_cluster_has_none(monkeypatch):
    for cluster, kind, index, expected in (
        ({"worker": ["a:1", "b:1"]}, "worker", 0, (2, "worker 0", True)),
        ({"worker": ["a:1", "b:1"]}, "worker", 1, (2, "worker 1", False)),
        ({"chief": ["c:1"], "worker": ["a:1"]}, "worker", 0, (2, "worker 0", False)),
        ({"chief": ["c:1"], "worker": ["a:1"]}, "chief", 0, (2, "chief 0", True)),
    ):
        monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}}))
        assert read_cluster("auto") == expected
