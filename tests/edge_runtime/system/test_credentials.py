"""Secrets from files, systemd's credentials and the environment."""

from __future__ import annotations

import pytest

from edge_runtime.errors import SourceError
from edge_runtime.system.credentials import address_from, credential, read_secret


@pytest.fixture
def secret(tmp_path):
    """Return a function that writes a file with an access mode."""

    def write(content="s3cret\n", mode=0o600, name="token"):
        file = tmp_path / name
        file.write_text(content)
        file.chmod(mode)
        return file

    return write


def test_a_file_comes_before_a_credential_of_systemd_and_that_before_the_environment(secret, monkeypatch, tmp_path):
    monkeypatch.setenv("EDGE_RUN_TOKEN", "from the environment")
    assert credential("EDGE_RUN_TOKEN") == "from the environment"
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert credential("EDGE_RUN_TOKEN") == "from the environment"
    secret("from systemd", name="EDGE_RUN_TOKEN")
    assert credential("EDGE_RUN_TOKEN") == "from systemd"
    assert credential("EDGE_RUN_TOKEN", secret()) == "s3cret"


def test_an_empty_variable_is_none(monkeypatch):
    monkeypatch.setenv("EDGE_RUN_TOKEN", "")
    assert credential("EDGE_RUN_TOKEN") is None


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, False), (0o644, True), (0o604, True)])
def test_a_file_that_every_user_can_read_is_reported(secret, capfd, mode, warned):
    file = secret(mode=mode)
    assert read_secret(file) == "s3cret"
    report = capfd.readouterr().err
    assert ("every user can read the secret in" in report) == warned
    assert "s3cret" not in report


def test_a_file_that_cannot_be_used_is_one_clear_line(secret, tmp_path):
    with pytest.raises(SourceError, match="the secret cannot be read: No such file"):
        read_secret(tmp_path / "none")
    with pytest.raises(SourceError, match="empty; write the secret into its first line"):
        read_secret(secret("\n"))
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(SourceError, match="not a text file"):
        read_secret(tmp_path / "binary")


def test_an_address_may_be_in_a_file(secret):
    file = secret("rtsp://admin:s3cret@cam/s\n")
    assert address_from(f"@{file}") == "rtsp://admin:s3cret@cam/s"
    assert address_from("/dev/video0") == "/dev/video0"
