import numpy as np
import pytest

from edge_runtime.model.bundle import Bundle
from export.errors import ExportError
from export.runtimes.process import run_on_device


@pytest.fixture
def artifact(tiny_bundle):
    bundle = Bundle.open(tiny_bundle)
    return tiny_bundle / bundle.artifact("int8.tflite").file.path, bundle.spec


@pytest.mark.parametrize("backend", ["litert", "tflite-runtime"])
def test_each_runtime_classifies_in_a_process_of_its_own_beside_tensorflow(artifact, backend):
    import tensorflow as tf  # noqa: F401 - in this process, tflite-runtime could no longer be imported

    path, spec = artifact
    run = run_on_device(path, spec, np.zeros((3, 24, 24, 3), np.uint8), backend)
    assert run.probabilities.shape == (3, 3)
    assert run.probabilities.sum(axis=1) == pytest.approx(1, abs=0.02)
    assert run.latency_ms > 0


def test_a_file_that_the_runtime_refuses_is_an_error_with_the_runtimes_reason(artifact, tmp_path):
    _, spec = artifact
    broken = tmp_path / "model.int8.tflite"
    broken.write_bytes(b"TFL3 is not where this starts")
    with pytest.raises(ExportError, match=r"model.int8.tflite in litert: .*cannot load it"):
        run_on_device(broken, spec, np.zeros((1, 24, 24, 3), np.uint8), "litert")


def test_a_runtime_that_crashes_is_an_error_that_names_the_signal(artifact, replace_worker):
    path, spec = artifact
    replace_worker("export.runtimes.process", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    with pytest.raises(ExportError, match=r"the runtime crashed \(SIGSEGV\)"):
        run_on_device(path, spec, np.zeros((1, 24, 24, 3), np.uint8), "litert")
