"""What a device says about its model."""

from __future__ import annotations

import time

import pytest

from edge_runtime.update.models import Models
from edge_runtime.update.status import ModelStatus, status_of
from edge_runtime.update.trial import Trial, write_trial

ONE, TWO = "stable-1-0123abcd", "stable-2-89abcdef"


@pytest.fixture
def models(tmp_path):
    """Return a models folder whose current version is stable 1."""
    found = Models(tmp_path)
    for name in (ONE, TWO):
        (found.versions / name).mkdir(parents=True)
    found.switch(ONE)
    return found


def trial(phase, folder, seconds=60.0):
    now = time.time()
    return Trial(phase, folder, "stable", int(folder.split("-")[1]), now, now + seconds, None)


def test_a_model_without_a_trial_is_good(models):
    assert status_of(models) == ModelStatus("stable", 1, "0123abcd", "good", "")


def test_an_empty_folder_has_no_model(tmp_path):
    assert status_of(Models(tmp_path)) == ModelStatus(None, None, "", "good", "")


def test_a_release_in_the_shadow_is_named_until_its_time_is_over(models):
    write_trial(models.folder, trial("shadow", TWO))
    assert status_of(models) == ModelStatus("stable", 1, "0123abcd", "shadow", "stable 2")
    write_trial(models.folder, trial("shadow", TWO, seconds=-1.0))
    assert status_of(models).state == "good"


def test_a_version_on_probation_is_good_once_the_probation_has_ended(models):
    models.switch(TWO)
    write_trial(models.folder, trial("probation", TWO))
    assert status_of(models) == ModelStatus("stable", 2, "89abcdef", "probation", "")


@pytest.mark.parametrize(
    ("reason", "state", "detail"),
    [
        ("probation: it ended 3 times", "taken back", "stable 2: it ended 3 times"),
        ("selftest: other results", "refused", "stable 2: selftest: other results"),
    ],
)
def test_a_newer_release_that_failed_is_named_with_its_reason(models, reason, state, detail):
    models.refuse("stable", 2, reason)
    assert status_of(models) == ModelStatus("stable", 1, "0123abcd", state, detail)
    models.switch(TWO)  # a person has installed it all the same
    assert status_of(models).state == "good"
