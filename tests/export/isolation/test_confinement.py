"""A confined process writes only in its folder and reaches no network; each test confines a process of its own."""

import json
import subprocess
import sys
import textwrap

import pytest

from export.errors import ExportError
from export.isolation.confinement import memory_limit_bytes
from export.isolation.processes import run_confined, unprotected


def confined(folder, code):
    """Run code in a confined process that may write in a folder; give what it prints."""
    folder.mkdir(exist_ok=True)
    (folder / "code.py").write_text(textwrap.dedent(code))
    command = [sys.executable, "-m", "export.isolation.launch", str(folder), "code"]
    paths = {"PYTHONPATH": ":".join([str(folder), *sys.path])}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=paths)
    return done.stdout.strip()


ATTEMPT = """
def attempt(action):
    try:
        action()
    except OSError as problem:
        print(type(problem).__name__, problem.errno)
    else:
        print("done")
"""


@pytest.fixture(scope="module")
def protections(tmp_path_factory):
    folder = tmp_path_factory.mktemp("probe")
    confined(folder, "")
    return unprotected(folder)


def test_writing_elsewhere_fails_in_every_way(tmp_path, protections):
    if any("Landlock" in item for item in protections):
        pytest.skip("this kernel has no Landlock")
    (tmp_path / "kept").write_text("kept")
    actions = [
        f"open({str(tmp_path / 'new')!r}, 'w')",
        f"open({str(tmp_path / 'kept')!r}, 'a')",
        f"os.truncate({str(tmp_path / 'kept')!r}, 0)",
        f"os.remove({str(tmp_path / 'kept')!r})",
        f"os.rename({str(tmp_path / 'kept')!r}, 'moved')",
        f"os.mkdir({str(tmp_path / 'made')!r})",
        f"os.symlink('/', {str(tmp_path / 'link')!r})",
    ]
    lines = "\n".join(f"attempt(lambda: {action})" for action in actions)
    printed = confined(tmp_path / "scratch", f"import os\n{ATTEMPT}\n{lines}").splitlines()
    assert len(printed) == len(actions)
    assert "done" not in printed
    assert (tmp_path / "kept").read_text() == "kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "scratch"]


def test_its_own_folder_and_temporary_files_can_be_written(tmp_path):
    code = """
    import tempfile
    with tempfile.NamedTemporaryFile(delete=False) as file:
        file.write(b"x")
        print(file.name)
    """
    assert confined(tmp_path / "scratch", code).startswith(str(tmp_path / "scratch"))


def test_no_network_is_reached(tmp_path, protections):
    if any("network" in item for item in protections):
        pytest.skip("this kernel gives no network namespace")
    actions = [
        "socket.create_connection(('127.0.0.1', 9), 1)",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))",
        "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b'x', ('::1', 9))",
    ]
    lines = "\n".join(f"attempt(lambda: {action})" for action in actions)
    printed = confined(tmp_path / "scratch", f"import socket\n{ATTEMPT}\n{lines}").splitlines()
    assert len(printed) == len(actions)
    assert "done" not in printed
    assert not [line for line in printed if "Refused" in line]  # refused by a machine that was reached


def test_no_program_is_started(tmp_path, protections):
    if any("Landlock" in item for item in protections):
        pytest.skip("this kernel has no Landlock")
    code = f"import subprocess\n{ATTEMPT}\nattempt(lambda: subprocess.run(['/bin/true']))"
    assert confined(tmp_path / "scratch", code).startswith("PermissionError")


def test_memory_is_limited(tmp_path):
    code = f"""
    try:
        bytearray({memory_limit_bytes()})
    except MemoryError:
        print("refused")
    """
    assert confined(tmp_path / "scratch", code) == "refused"


def test_a_process_that_does_not_end_is_ended(tmp_path):
    with pytest.raises(ExportError, match=r"waiting: did not end within 0\.3 s"):
        run_confined("timeit", "-n", "1", "import time; time.sleep(60)", folder=tmp_path, what="waiting", timeout_s=0.3)


def test_what_is_not_protected_is_known(tmp_path):
    (tmp_path / "unprotected.json").write_text(json.dumps(["it can use the network"]))
    assert unprotected(tmp_path) == ("it can use the network",)
