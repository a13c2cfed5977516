"""No bundle of a random network fails its own self-test, and each gives the probabilities of the file.

EDGEWISE_NETWORKS=200 tries as many networks; EDGEWISE_FIRST_NETWORK=100 begins with another one.
"""

import os
import subprocess
import sys

import numpy as np
import pytest
from random_networks import random_network

from edge_runtime.backends.names import BACKENDS_BY_FORMAT, installed
from export.artifacts import ARTIFACT_NAMES, EXPENDABLE
from export.errors import ParityError
from export.importing.process import import_here
from export.pipeline import fill
from export.proof.plan import Plan
from export.sources.foreign import ForeignModel, read_foreign
from export.sources.reading import StatedInput

FIRST, COUNT = (
    int(os.environ.get(f"EDGEWISE_{name}", value)) for name, value in (("FIRST_NETWORK", 0), ("NETWORKS", 2))
)
# Of the difference of a probability. Constants of 16-bit models, such as a slope, stay rounded.
LIMIT, LOW_PRECISION_LIMIT = 1e-4, 0.05


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_a_published_bundle_of_a_random_network_is_right_in_every_runtime(seed, tmp_path):
    pytest.importorskip("tf_keras")
    network = random_network(seed, tmp_path)
    print(seed, network.description)
    # The property is about bundles; some of these networks name one class for every image.
    stated = StatedInput(network.input_range)
    given = ForeignModel(network.path, network.labels, network.data, network.resize, stated, accept_chance=True)
    source = read_foreign(given, importing=import_here)
    limit = LOW_PRECISION_LIMIT if "mixed" in network.description else LIMIT
    assert source.probabilities(source.holdout) == pytest.approx(network.reference(source.holdout), abs=limit)
    names = list(np.random.default_rng(seed).choice(ARTIFACT_NAMES, 2, replace=False))
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    try:
        proof = fill(bundle, source, Plan(names, jobs=0, expendable=EXPENDABLE), lambda _: None)
    except ParityError as refusal:
        assert "nothing is published" in str(refusal)  # noqa: PT017 - a refusal is right, a wrong bundle is not
        pytest.skip(f"{network.description}: {refusal}")
    for item in proof.measured:
        if item.candidate.precision == "float32":
            assert item.probabilities == pytest.approx(network.reference(source.holdout[item.images]), abs=limit)
    for item in proof.measured:
        for backend in installed(BACKENDS_BY_FORMAT[item.candidate.format]):
            selftest = ["selftest", str(bundle), "--artifact", item.candidate.name, "--backend", backend]
            done = subprocess.run(
                [sys.executable, "-m", "edge_runtime.cli", *selftest], capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{network.description}: {done.stdout}{done.stderr}"
