"""MQTT, tested with a real Mosquitto broker on loopback."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import suppress
from dataclasses import replace

import pytest

from edge_runtime.errors import BackendUnavailable, SourceError
from edge_runtime.live.sinks import mqtt as mqtt_module
from edge_runtime.live.sinks.broker import Broker, Login, node_of, parse_broker
from edge_runtime.live.sinks.device_report import DeviceFacts, parse_report
from edge_runtime.live.sinks.mqtt import Mqtt

paho = pytest.importorskip("paho.mqtt.client", reason="needs paho-mqtt")


@pytest.fixture
def listener(broker, wait_until):
    """Return a function that subscribes to all topics and returns a growing list of (topic, payload, retained)."""
    clients = []

    def listen():
        got, ready = [], threading.Event()
        client = paho.Client(paho.CallbackAPIVersion.VERSION2, f"listener{len(clients)}", clean_session=False)
        client.reconnect_delay_set(1, 1)
        client.on_connect = lambda *_: client.subscribe("#", qos=1)
        client.on_subscribe = lambda *_: ready.set()
        client.on_message = lambda _client, _data, message: got.append((message.topic, message.payload, message.retain))
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        clients.append(client)
        assert ready.wait(20)
        return got

    listen.clients = clients
    yield listen
    for client in clients:
        client.disconnect()
        client.loop_stop()


@pytest.fixture
def mqtt(broker):
    """Return a function that opens the sink, which is closed after the test."""
    made = []

    def make(**options):
        made.append(Mqtt(Broker("127.0.0.1", broker.port, tls=False), node="porch", **options))
        return made[-1]

    yield make
    for sink in made:
        sink.close()


def payloads(got, topic):
    return [payload for at, payload, _ in got if at == topic]


def frames(got):
    return [json.loads(payload)["frame"] for payload in payloads(got, "edgewise/porch/event")]


def test_all_entities_are_announced_to_home_assistant(mqtt, listener, wait_until):
    mqtt()
    got = listener()
    wait_until(lambda: payloads(got, "edgewise/porch/availability") == [b"online"])
    found = {topic: json.loads(payload) for topic, payload, _ in got if topic.startswith("homeassistant/")}
    assert set(found) == {
        f"homeassistant/{kind}/edgewise_porch/{name}/config"
        for kind, name in [
            ("sensor", "label"),
            ("sensor", "score"),
            ("sensor", "age"),
            ("sensor", "familiarity"),
            ("binary_sensor", "camera"),
            ("binary_sensor", "drift"),
            ("event", "event"),
            ("image", "best"),
        ]
    }
    assert len({config["unique_id"] for config in found.values()}) == len(found)
    assert all(config["availability_topic"] == "edgewise/porch/availability" for config in found.values())
    assert all(config["device"]["identifiers"] == ["edgewise_porch"] for config in found.values())


def test_a_later_subscriber_gets_the_present_state_and_no_old_events(mqtt, listener, wait_until, make_event):
    sink = mqtt()
    sink.event(make_event(1, thumbnail=b"jpeg"))
    sink.event(make_event(2, "lost"))
    wait_until(lambda: sink.outbox.counts().delivered == 2)
    got = listener()
    wait_until(lambda: payloads(got, "edgewise/porch/camera"))
    kept = {topic.removeprefix("edgewise/porch/"): payload for topic, payload, retained in got if retained}
    assert kept["availability"] == b"online"
    assert kept["camera"] == b"OFF"
    assert kept["thumbnail"] == b"jpeg"
    assert "event" not in kept


def test_what_is_different_from_training_is_kept_for_later_subscribers(mqtt, listener, wait_until, make_event):
    sink = mqtt()
    for number, (kind, detail) in enumerate(
        [
            ("drifted", "darker than in training, since 14:05"),
            ("drifted", "the camera has moved, since 14:09"),
            ("drift_ended", "darker than in training, since Tuesday 14:05"),
        ]
    ):
        sink.event(replace(make_event(number, kind), detail=detail))
    wait_until(lambda: sink.outbox.counts().delivered == 3)
    got = listener()
    wait_until(lambda: payloads(got, "edgewise/porch/drift"))
    state = json.loads(payloads(got, "edgewise/porch/drift")[0])
    assert state == {"state": "ON", "reasons": ["the camera has moved"]}


def test_nothing_is_subscribed_to_so_that_no_large_message_arrives(mqtt, listener, wait_until):
    """Home Assistant gets the retained discovery messages when it restarts; its birth message is not needed."""
    got = listener()
    large = listener.clients[0].publish("homeassistant/status", b"o" * 5_000_000, qos=1, retain=True)
    large.wait_for_publish(20)
    sink = mqtt()
    received, receive = [], sink._client._sock_recv
    sink._client._sock_recv = lambda size: received.append(size) or receive(size)
    wait_until(lambda: payloads(got, "edgewise/porch/availability"))
    assert max(received, default=0) < 1000


def test_a_large_packet_of_the_broker_is_not_taken_into_memory(free_port):
    """The broker announces a message of 200 MB."""
    with socket.create_server(("127.0.0.1", free_port)) as server:
        sink = Mqtt(Broker("127.0.0.1", free_port, tls=False), node="porch")
        peer, _ = server.accept()
        with peer:
            peer.recv(1000)
            peer.sendall(b"\x20\x02\x00\x00" + b"\x30\x80\x84\xaf\x5f" + b"x" * 1000)  # CONNACK, then PUBLISH
            peer.settimeout(10)
            with suppress(ConnectionResetError):
                while peer.recv(65_536):
                    pass  # until the client closes the connection
    sink.close()


def test_a_wrong_password_is_reported_with_the_variables_to_check(free_port, wait_until, tmp_path, capfd):
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        pytest.skip("needs Debian's mosquitto")
    config, login, report = tmp_path / "mosquitto.conf", Login("ann", "wr0ng"), []
    config.write_text(f"listener {free_port} 127.0.0.1\nallow_anonymous false\n")
    with subprocess.Popen([program, "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as broker:
        sink = Mqtt(Broker("127.0.0.1", free_port, tls=False), node="porch", login=login)
        wait_until(lambda: report.append(capfd.readouterr().err) or "refused" in "".join(report))
        sink.close()
        broker.terminate()
    text = "".join(report)
    assert f"the broker at 127.0.0.1:{free_port} refused user 'ann': Not authorized; check EDGE_RUN_MQTT_USER" in text
    assert "Unspecified" not in text
    assert "wr0ng" not in text + repr(login)


def test_closing_with_a_full_queue_raises_nothing(mqtt, wait_until):
    sink = mqtt()
    wait_until(sink._connected.is_set)
    sink._client._max_queued_messages = 1
    sink._client._max_inflight_messages = 1
    sink._client.loop_stop()  # nothing is acknowledged from here on
    for _ in range(5):
        sent = sink._client.publish("x", "y", qos=1)
    assert sent.rc == paho.MQTT_ERR_QUEUE_SIZE
    sink.close()


def test_two_cameras_of_one_device_have_different_names():
    cameras = ["0", "1", "/dev/video2", "picamera", "rtsp://a:***@10.0.0.1/s?channel=1"]
    cameras += ["rtsp://a:***@10.0.0.1/s?channel=2", "rtsp://a:***@10.0.0.2/s", "x" * 50 + "1", "x" * 50 + "2"]
    nodes = [node_of(camera, "pi.local") for camera in cameras]
    assert len(set(nodes)) == len(cameras)
    assert nodes[:4] == ["pi_local-video0", "pi_local-video1", "pi_local-video2", "pi_local-picamera"]
    assert node_of("/dev/video0?size=640x480", "pi") == node_of("0", "pi")
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,70}", node) for node in nodes)


def test_events_and_the_newest_prediction_arrive(mqtt, listener, wait_until, make_event, make_prediction):
    got = listener()
    sink = mqtt()
    wait_until(lambda: payloads(got, "edgewise/porch/availability"))
    sink.prediction(make_prediction(5, "dog"))
    sink.event(make_event(6))
    wait_until(lambda: frames(got) == [6] and payloads(got, "edgewise/porch/prediction"))
    prediction = json.loads(payloads(got, "edgewise/porch/prediction")[0])
    event = json.loads(payloads(got, "edgewise/porch/event")[0])
    assert (prediction["stable"], prediction["frame"]) == ("dog", 5)
    assert event == {"event_type": "entered", **make_event(6).to_json()}


def test_the_prediction_is_published_again_while_the_source_is_alive(
    mqtt, listener, wait_until, make_prediction, monkeypatch
):
    """Otherwise Home Assistant shows the label of a still scene as unavailable."""
    monkeypatch.setattr("edge_runtime.live.sinks.mqtt.REPEAT_EVERY_S", 0.2)
    monkeypatch.setattr("edge_runtime.live.sinks.mqtt.PREDICTION_EVERY_S", 0.0)
    got = listener()
    sink = mqtt()
    wait_until(lambda: payloads(got, "edgewise/porch/availability"))
    sink.prediction(make_prediction(5, "dog"))
    wait_until(lambda: len(payloads(got, "edgewise/porch/prediction")) == 1)
    time.sleep(0.25)
    sink.state_changed("stale")
    sink.state_changed("repeated")
    time.sleep(0.1)
    assert len(payloads(got, "edgewise/porch/prediction")) == 1
    sink.state_changed("unchanged")
    sink.state_changed("unchanged")  # too early for another one
    wait_until(lambda: len(payloads(got, "edgewise/porch/prediction")) == 2)
    time.sleep(0.05)
    assert len(payloads(got, "edgewise/porch/prediction")) == 2


def test_a_killed_process_is_reported_offline_by_its_last_will(broker, listener, wait_until):
    got = listener()
    code = """
        import sys, time
        from edge_runtime.live.sinks.broker import Broker
        from edge_runtime.live.sinks.mqtt import Mqtt
        Mqtt(Broker("127.0.0.1", int(sys.argv[1]), False), node="porch")
        time.sleep(60)
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(code), str(broker.port)]) as process:
        wait_until(lambda: payloads(got, "edgewise/porch/availability") == [b"online"])
        process.kill()
    wait_until(lambda: payloads(got, "edgewise/porch/availability") == [b"online", b"offline"])


def test_closing_publishes_offline(mqtt, listener, wait_until):
    got = listener()
    sink = mqtt()
    wait_until(lambda: payloads(got, "edgewise/porch/availability") == [b"online"])
    sink.close()
    wait_until(lambda: payloads(got, "edgewise/porch/availability") == [b"online", b"offline"])


def test_no_event_is_lost_while_the_broker_is_away(mqtt, broker, listener, wait_until, make_event, capfd):
    got = listener()
    sink = mqtt()
    for number in range(100):
        sink.event(make_event(number))
    wait_until(lambda: len(frames(got)) > 20)
    broker.stop()  # in the middle of them
    for number in range(100, 130):
        sink.event(make_event(number))
    wait_until(lambda: "edge-run: mqtt: the connection to the broker was lost" in capfd.readouterr().err)
    broker.start()
    wait_until(lambda: sink.outbox.counts() == (130, 0, 0) and len(set(frames(got))) == 130)
    assert list(dict.fromkeys(frames(got))) == list(range(130))  # in order; an event may have arrived twice


def test_events_wait_until_the_broker_is_first_reachable(broker, listener, wait_until, make_event):
    broker.stop()
    sink = Mqtt(Broker("127.0.0.1", broker.port, tls=False), node="porch")
    for number in range(5):
        sink.event(make_event(number))
    broker.start()
    wait_until(lambda: sink.outbox.counts() == (5, 0, 0))
    sink.close()


def test_closing_without_a_broker_takes_a_bounded_time(free_port, make_event):
    sink = Mqtt(Broker("127.0.0.1", free_port, tls=False), node="porch")
    assert sink._reason == f"no answer at 127.0.0.1:{free_port} yet"
    sink.event(make_event())
    sink.outbox.close(0.3)
    sink.close()
    assert sink.outbox.counts().dropped == 1


def test_addresses_are_parsed_and_secrets_refused():
    assert parse_broker("pi.local") == ("pi.local", 1883, False)
    assert parse_broker("10.0.0.2:1884") == ("10.0.0.2", 1884, False)
    assert parse_broker("mqtts://broker") == ("broker", 8883, True)
    for text in ("", "http://x", "host:port", "host:99999", "mqtt://host/topic"):
        with pytest.raises(SourceError, match="--mqtt"):
            parse_broker(text)
    with pytest.raises(SourceError, match="EDGE_RUN_MQTT_PASSWORD"):
        parse_broker("mqtt://me:pw@host")


def test_without_paho_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "paho.mqtt.client", None)
    with pytest.raises(BackendUnavailable, match=r"pip install 'edgewise\[mqtt\]'"):
        Mqtt(Broker("127.0.0.1", 1, tls=False))


FACTS = DeviceFacts("0123", ("yard",), "0.1.0", "89abcdef", "stable", 2, "good", "", 51.5, 10**9)


def test_a_device_reports_its_model_and_its_pace_for_later_subscribers(
    mqtt, listener, make_prediction, wait_until, monkeypatch
):
    monkeypatch.setattr(mqtt_module, "REPORT_EVERY_S", 0.5)
    sink = mqtt(facts=lambda: FACTS)
    got = listener()
    wait_until(lambda: payloads(got, "edgewise/porch/device"))
    first = parse_report(payloads(got, "edgewise/porch/device")[0])
    assert (first.facts, first.fps, first.camera) == (FACTS, None, True)
    for number in range(3):
        sink.prediction(make_prediction(number))

    def reported():
        """Send another frame, and look at the newest report."""
        sink.prediction(make_prediction(3))
        return parse_report(payloads(got, "edgewise/porch/device")[-1]).fps

    wait_until(reported)
    newest = parse_report(payloads(got, "edgewise/porch/device")[-1])
    assert newest.inference_ms == 3.0
    assert newest.node == "porch"
    later = listener()
    wait_until(lambda: payloads(later, "edgewise/porch/device"))


def test_a_camera_that_sends_no_frames_is_in_the_report_at_once(mqtt, listener, make_event, wait_until):
    sink, got = mqtt(facts=lambda: FACTS), listener()
    wait_until(lambda: payloads(got, "edgewise/porch/device"))
    for kind, expected in (("stalled", False), ("recovered", True)):
        sink.event(make_event(kind=kind))
        wait_until(lambda shown=expected: parse_report(payloads(got, "edgewise/porch/device")[-1]).camera is shown)
