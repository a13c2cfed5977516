"""`edge-run fleet` with a real broker, on which devices, and others, have left messages."""

from __future__ import annotations

import json
import time

import pytest

paho = pytest.importorskip("paho.mqtt.client", reason="needs paho-mqtt")


@pytest.fixture
def leave(broker):
    """Return a function that leaves a retained message on the broker."""
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()

    def publish(topic, payload):
        client.publish(topic, payload, qos=1, retain=True).wait_for_publish(20)

    publish.client = client
    yield publish
    client.disconnect()
    client.loop_stop()


@pytest.fixture
def fleet(broker, edge_run):
    """Return a function that runs `edge-run fleet` with the test's broker."""
    return lambda *words: edge_run("fleet", "--mqtt", f"127.0.0.1:{broker.port}", *words)


@pytest.fixture
def three_devices(leave, make_device):
    """Leave the reports of three devices; one is offline, one has a small disk."""
    for device in (
        make_device("barn", at=time.time()),
        make_device("yard", at=time.time(), online=False),
        make_device("porch", at=time.time(), free_bytes=10**8, tags=("north", "yard")),
    ):
        leave(f"{device.topic}/device", json.dumps(device.report.to_json()))
        leave(f"{device.topic}/availability", "online" if device.online else "offline")


def test_the_device_that_needs_a_person_most_is_in_the_first_row(fleet, three_devices):
    code, out, _ = fleet()
    assert code == 0
    assert [line.split()[0] for line in out] == ["device", "yard", "porch", "barn"]
    assert "offline, last report" in out[1]
    assert out[2].endswith("disk nearly full: 100 MB free")
    assert "stable 3" in out[3]


def test_json_and_tags(fleet, three_devices):
    code, out, _ = fleet("--json", "--tag", "north")
    (device,) = map(json.loads, out)
    assert code == 0
    assert (device["node"], device["online"], device["version"]) == ("porch", True, 3)
    assert device["needs"] == [{"urgency": 2, "text": "disk nearly full: 100 MB free"}]


def test_messages_of_others_do_no_harm(fleet, leave, three_devices):
    leave("edgewise/huge/device", b"x" * 2_000_000)  # the broker keeps it back
    leave("edgewise/escape/device", json.dumps({"node": "\x1b[2J"}))
    leave("edgewise/<script>/device", b"[]")
    code, out, err = fleet()
    err.sort()
    assert code == 0
    assert len(out) == 4
    assert "\x1b" not in "".join([*out, *err])
    assert [line.split("'")[1] for line in err] == ["edgewise/<script>", "edgewise/escape"]


def test_a_broker_delivers_more_devices_than_it_queues_for_a_client(fleet, leave, make_device):
    device = make_device("many", at=time.time())
    report = json.dumps(device.report.to_json())
    for number in range(1100):
        leave.client.publish(f"edgewise/pi{number}/device", report, qos=1, retain=True)
        leave.client.publish(f"edgewise/pi{number}/availability", "online", qos=1, retain=True)
    leave("edgewise/last/availability", "online")
    code, out, _ = fleet("--json")
    assert code == 0
    assert len(out) == 1100
    assert all(json.loads(line)["online"] for line in out)


def test_an_empty_fleet_and_a_broker_that_is_away_are_one_line(fleet, edge_run, free_port, broker):
    code, out, err = fleet("--wait", "2")
    assert (code, out) == (1, [])
    assert "no device has left a report" in err[0]
    broker.stop()
    code, _, err = fleet()
    assert code == 1
    assert len(err) == 1
    assert "is the broker running?" in err[0]
    broker.start()


def test_a_device_that_watches_appears_in_the_fleet(fleet, broker, bundle, photo, edge_run):
    folder = photo("red", name="one/1.png").parent
    code, _, err = edge_run(
        "watch",
        bundle,
        "--source",
        f"simulated:{folder}?fps=20",
        "--frames",
        "5",
        "--mqtt",
        f"127.0.0.1:{broker.port}",
        "--mqtt-node",
        "shed",
        "--mqtt-tag",
        "north",
    )
    assert code == 0, err
    code, out, _ = fleet("--json")
    (device,) = map(json.loads, out)
    assert (device["node"], device["tags"], device["online"]) == ("shed", ["north"], False)
    assert len(device["bundle"]) == 8
    assert device["free_bytes"] > 0
