"""edge-run watch, as its user sees it."""

from __future__ import annotations

import csv
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

EDGE_RUN = [sys.executable, "-m", "edge_runtime.cli"]


@pytest.fixture
def scene(photo, tmp_path):
    """Twenty pictures, first red, then blue."""
    for index in range(20):
        photo("red" if index < 10 else "blue", name=f"scene/{index:02}.png")
    return tmp_path / "scene"


def test_json_has_a_line_for_each_frame_and_event(bundle, scene, edge_run):
    code, out, err = edge_run("watch", bundle, "--source", scene, "--json", "--smooth", "1")
    lines = [json.loads(line) for line in out]
    frames = [line for line in lines if "event" not in line]
    events = [(line["event"], line["label"]) for line in lines if "event" in line]
    assert (code, err) == (0, [])
    assert [line["label"] for line in frames] == ["red"] * 10 + ["blue"] * 10
    assert [line["frame"] for line in frames] == list(range(20))
    assert {"captured_at", "age_ms", "dropped", "stable", "inference_ms"} <= set(frames[0])
    assert events == [("entered", "red"), ("left", "red"), ("entered", "blue"), ("left", "blue")]
    assert [line["stable"] for line in frames][8:14] == ["red"] * 4 + ["blue"] * 2  # 3 votes of 5


def test_csv_has_one_table_of_frames_and_events(bundle, scene, edge_run):
    _, out, _ = edge_run("watch", bundle, "--source", scene, "--csv", "--frames", "5")
    rows = list(csv.DictReader(out))
    assert [row["kind"] for row in rows] == ["frame", "frame", "frame", "entered", "frame", "frame", "left"]
    assert rows[0]["label"] == "red"
    assert float(rows[0]["age_ms"]) > 0


def test_text_has_a_line_only_for_changes(bundle, scene, edge_run):
    code, out, _ = edge_run("watch", bundle, "--source", scene, "--smooth", "1")
    told = [line.split("  ", 1)[1] for line in out]
    assert code == 0
    assert told[0].startswith("frame 0  red 1.00  stable unknown  age ")
    assert [line for line in told if line.startswith("entered")] == ["entered red 1.00", "entered blue 1.00"]
    assert len(out) == 8  # red, stable red, entered; blue, stable blue, left and entered; left: changes only


def test_paths_come_on_standard_input(bundle, photo):
    given = f"{photo('red')}\n\n{photo('blue')}\n"
    command = [*EDGE_RUN, "watch", bundle, "--source", "-", "--json", "--k", "1", "--n", "1"]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=True)
    labels = [line["label"] for line in map(json.loads, done.stdout.splitlines()) if "frame" in line and "top" in line]
    assert labels == ["red", "blue"]


def test_an_unreadable_file_is_reported_and_the_exit_code_is_1(bundle, photo, tmp_path, edge_run):
    photo("red", name="mixed/1.png")
    (tmp_path / "mixed" / "2.jpg").write_bytes(b"")
    code, out, err = edge_run("watch", bundle, "--source", tmp_path / "mixed", "--json")
    assert (code, len(out), len(err)) == (1, 1, 1)
    assert "frame 1 skipped" in err[0]
    assert "2.jpg: an empty file" in err[0]


def test_a_lost_camera_is_reported_and_ends_the_command_with_1(bundle, photo, edge_run):
    source = f"simulated:{photo('red', name='one/1.png').parent}?fps=50&size=64x48&disconnect=10:1000"
    code, out, err = edge_run(
        "watch", bundle, "--source", source, "--json", "--give-up", "1.5", "--stall-timeout", "10"
    )
    events = [json.loads(line)["event"] for line in out if "event" in json.loads(line)]
    assert (code, events) == (1, ["entered", "left", "lost"])
    assert err == [f"edge-run: {source}: no fresh frame for 1.5 s; gave up: disconnected"]


def test_a_camera_whose_frames_cannot_be_decoded_is_reported_once(bundle, photo, edge_run):
    source = f"simulated:{photo('red', name='one/1.png').parent}?fps=100&size=64x48"
    patience = ["--give-up", "0.4", "--stall-timeout", "0.3"]
    code, _, err = edge_run("watch", bundle, "--source", source, "--roi", "100,0,9,9", *patience)
    assert code == 1
    skipped = "skipped: region 100,0,9,9 is outside of the 64x48 picture"
    told = re.sub(r"frame \d+ ", "", err[0])  # a slow device misses the first
    assert [told, *err[1:]] == [
        f"edge-run: {source}: {skipped}",
        f"edge-run: {source}: no fresh frame for 0.4 s; gave up",
    ]


@pytest.mark.parametrize("form", ["--json", "--csv"])
def test_a_full_disk_is_reported_in_one_line(bundle, photo, form):
    command = [*EDGE_RUN, "watch", bundle, "--source", photo("red"), form]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "edge-run: No space left on device\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(bundle, photo, number):
    source = f"simulated:{photo('red', name='one/1.png').parent}?fps=50&size=64x48"
    command = [*EDGE_RUN, "watch", bundle, "--source", source, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        for _ in range(10):
            process.stdout.readline()
        process.send_signal(number)
        rest, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")
    assert json.loads(rest.splitlines()[-1])["event"] == "left"


def test_a_reader_that_leaves_early_is_no_error(bundle, photo):
    source = f"simulated:{photo('red', name='one/1.png').parent}?fps=200&size=64x48"
    command = [*EDGE_RUN, "watch", bundle, "--source", source, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.stdout.close()
        assert (process.stderr.read(), process.wait(20)) == ("", 0)


def test_a_reader_that_sleeps_slows_no_camera_and_what_it_missed_is_counted(bundle, photo):
    source = f"simulated:{photo('red', name='one/1.png').parent}?fps=1000&size=64x48"
    command = [*EDGE_RUN, "watch", bundle, "--source", source, "--json", "--frames", "400", "--stall-timeout", "60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)  # some dozen lines
        full = process.stderr.readline()  # the loop went on, though not a line was read
        lines, told = process.communicate(timeout=60)
    assert full.startswith("edge-run: standard output: the queue is full (lines waiting: 257, dropped so far: 1)")
    dropped = int(re.findall(r"dropped so far: (\d+)", full + told)[-1])
    got = [json.loads(line) for line in lines.splitlines()]
    assert len(got) + dropped == 400 + 2  # the frames, and a class that came and went
    assert got[-1]["event"] == "left"


def test_a_reader_of_files_that_is_slow_is_waited_for(bundle, scene):
    command = [*EDGE_RUN, "watch", bundle, "--source", scene, "--json", "--smooth", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
        lines = [json.loads(line) for line in process.stdout if not time.sleep(0.02)]
        assert (process.stderr.read(), process.wait(20)) == ("", 0)
    assert [line["frame"] for line in lines if "event" not in line] == list(range(20))


@pytest.mark.parametrize(
    "options",
    [
        ["--roi", "1,2,3"],
        ["--roi", "1,2,0,4"],
        ["--every", "0"],
        ["--max-fps", "0"],
        ["--stall-timeout", "-1"],
        ["--smooth", "1.5"],
        ["--json", "--csv"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_2(bundle, edge_run, options):
    assert edge_run("watch", bundle, "--source", "0", *options)[0] == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--k", "4", "--n", "3"], "4 votes of the last 3 frames are impossible"),
        (["--smooth", "0"], "weight must be above 0"),
        (["--decision", "none.json"], "none.json: no such file"),
    ],
)
def test_rules_that_can_never_be_met_are_refused(bundle, scene, refused, options, message):
    assert message in refused("watch", bundle, "--source", scene, *options)


def test_min_score_makes_frames_unknown(bundle, tmp_path, edge_run):
    from PIL import Image

    Image.new("RGB", (64, 48), (120, 118, 116)).save(tmp_path / "grey.png")
    _, out, _ = edge_run("watch", bundle, "--source", tmp_path / "grey.png", "--json", "--min-score", "0.9")
    assert json.loads(out[0])["label"] == "unknown"


def test_watch_help_loads_neither_numpy_nor_pyav():
    code = """
import sys
from edge_runtime.cli import main
main(["watch", "--help"])
assert not {"numpy", "PIL", "av"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, env=os.environ)


@pytest.mark.parametrize("in_file", [False, True], ids=["option", "file"])
@pytest.mark.parametrize(
    "address",
    [
        "rtsp://admin:s3cr@t@127.0.0.1:1/x",
        "rtsp://admin:pa/s3cret@127.0.0.1:1/x",
        "http://127.0.0.1:1/v.cgi?user=admin&pwd=s3cret",
        "gopher://admin:s3cret@127.0.0.1:1/x",
    ],
)
def test_a_password_in_an_address_is_not_printed(edge_run, bundle, tmp_path, address, in_file):
    file = tmp_path / "camera"
    file.write_text(address)
    file.chmod(0o600)
    source = f"@{file}" if in_file else address
    code, out, err = edge_run("watch", bundle, "--source", source, "--stall-timeout", "0.5", "--give-up", "1")
    report = "\n".join([*out, *err])
    assert code == 1
    assert "s3cr" not in report
    assert ("--source contains a password" in report) == (not in_file)
    assert "Traceback" not in report
