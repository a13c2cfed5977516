"""Which release a device takes."""

import socket
from dataclasses import replace

import pytest

pytest.importorskip("tuf")

from edge_runtime.update.release import Facts, Release, UpdateError
from edge_runtime.update.rollout import chosen, device_identity, position

FACTS = Facts("0" * 64, "2026-11-27T00:00:00+00:00", 100, False, "", 1, ("a", "b"), "int8.tflite", "", "0.1.0")
IDENTITIES = [f"device {number}" for number in range(1000)]


def release(version, **facts):
    return Release("stable", version, replace(FACTS, **facts))


@pytest.mark.parametrize("rollout", [0, 1, 10, 50, 99, 100])
def test_a_rollout_reaches_its_share_of_the_devices(rollout):
    took = sum(chosen([release(7, rollout=rollout)], "stable", one, ()) is not None for one in IDENTITIES)
    assert took / len(IDENTITIES) == pytest.approx(rollout / 100, abs=0.03)


def test_a_larger_rollout_takes_no_device_out():
    small = {one for one in IDENTITIES if chosen([release(7, rollout=10)], "stable", one, ())}
    large = {one for one in IDENTITIES if chosen([release(7, rollout=30)], "stable", one, ())}
    assert small < large


def test_another_release_reaches_other_devices_first():
    places = [(position(one, release(1)) < 10, position(one, release(2)) < 10) for one in IDENTITIES]
    assert sum(first and second for first, second in places) < 30  # 10 of 1,000 are expected


def test_the_newest_release_that_is_neither_withdrawn_nor_refused_is_taken():
    releases = [release(1), release(2), release(3, withdrawn=True), release(4), Release("beta", 9, FACTS)]
    assert chosen(releases, "stable", "device", {4}).version == 2
    assert chosen(releases, "stable", "device", ()).version == 4
    assert chosen(releases, "other", "device", ()) is None


def test_the_identity_follows_the_machine_id_and_does_not_show_it(monkeypatch, tmp_path):
    monkeypatch.setattr("edge_runtime.update.rollout.MACHINE_ID", tmp_path / "machine-id")
    names = {}
    for machine in ("8c3f0d1a5be74b2f9d0e6a7b8c9d0e1f", "00000000000000000000000000000001"):
        (tmp_path / "machine-id").write_text(f"{machine}\n")
        names[machine] = device_identity()
        assert device_identity() == names[machine]
        assert names[machine] not in machine
    assert len(set(names.values())) == 2
    (tmp_path / "machine-id").unlink()
    assert device_identity() == socket.gethostname()


@pytest.mark.parametrize(
    ("key", "value"),
    [("rollout", 101), ("rollout", True), ("bundle", "x"), ("labels", "cat"), ("labels", ["\x1b[2J"]), ("notes", 3)],
)
def test_facts_that_are_not_valid_are_refused(key, value):
    with pytest.raises(UpdateError, match=f"stable 1: .*{key}"):
        Facts.from_json({**FACTS.to_json(), key: value}, "stable 1")
