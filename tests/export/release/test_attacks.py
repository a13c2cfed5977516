"""The attacks that The Update Framework's specification lists, each refused in one line that says why.

https://theupdateframework.github.io/specification/latest/#goals-to-protect-against-specific-attacks
"""

import json
import shutil
import time
from datetime import timedelta

import pytest
from tuf.api.metadata import Metadata

from edge_runtime.update import transport
from edge_runtime.update.release import UpdateError
from export.release.keys import read_key
from export.release.metadata import LIFETIME, SignedMetadata
from export.release.release import add_release

from .conftest import QuietHandler


@pytest.fixture
def released(repository, bundle_named):
    """A repository with one release."""
    add_release(repository, bundle_named("one"), "stable", 100, "")
    return repository


@pytest.fixture
def model_file(released):
    """The largest published file."""
    return max((released.folder / "files").iterdir(), key=lambda path: path.stat().st_size)


def test_arbitrary_installation_another_content_of_a_file(model_file, device):
    content = bytearray(model_file.read_bytes())
    content[len(content) // 2] ^= 1
    model_file.write_bytes(content)
    with pytest.raises(UpdateError, match="its content is not the one that the release describes"):
        device()


def test_arbitrary_installation_another_list_of_files(released, device):
    (listing,) = (released.folder / "targets" / "stable").iterdir()
    content = listing.read_text()
    listing.write_text(content.replace("model.int8.tflite", "model.int9.tflite"))
    with pytest.raises(UpdateError, match="another length or digest"):
        device()


def test_malicious_mirror_a_repository_signed_with_other_keys(released, bundle_named, device, tmp_path):
    other = SignedMetadata(tmp_path / "other", tmp_path / "other-keys", None)
    other.create()
    add_release(other, bundle_named("evil"), "stable", 100, "")
    with pytest.raises(UpdateError, match="not signed by enough of the keys"):
        device(other.folder)


def test_rollback_an_older_state_of_the_repository(released, bundle_named, device, tmp_path):
    old = shutil.copytree(released.folder, tmp_path / "old")
    add_release(released, bundle_named("two"), "stable", 100, "")
    assert device().state == "switched"
    with pytest.raises(UpdateError, match="older than what this device has seen"):
        device(old)


def test_indefinite_freeze_metadata_that_has_expired(released, device, monkeypatch):
    monkeypatch.setitem(LIFETIME, "timestamp", timedelta(seconds=-1))
    released.publish(force=True)
    with pytest.raises(UpdateError, match="has expired, so it may be an old copy; check the clock"):
        device()


def test_mix_and_match_documents_of_two_states(released, bundle_named, device):
    metadata = released.metadata
    add_release(released, bundle_named("two"), "stable", 100, "")
    shutil.copy(metadata / "2.targets.json", metadata / "3.targets.json")
    with pytest.raises(UpdateError, match="does not fit together"):
        device()


def test_wrong_software_a_list_of_files_under_another_name(released, bundle_named, device):
    add_release(released, bundle_named("two"), "stable", 100, "")
    one, two = sorted((released.folder / "targets" / "stable").iterdir(), key=lambda path: path.name.split(".")[1])
    shutil.copy(one, two)
    with pytest.raises(UpdateError, match="another length or digest"):
        device()


class EndlessHandler(QuietHandler):
    """Send bytes without end for every request to a path that begins with `prefix`."""

    prefix = "/metadata/timestamp.json"

    def do_GET(self):  # noqa: N802 - the name that http.server calls
        if not self.path.startswith(self.prefix):
            super().do_GET()
            return
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(b" " * 65536)
        except OSError:  # the device has closed the connection
            return


@pytest.mark.parametrize(
    ("prefix", "message"), [("/metadata/timestamp", "more bytes than allowed"), ("/files/", "more bytes")]
)
def test_endless_data(released, device, served, prefix, message):
    handler = type("Handler", (EndlessHandler,), {"prefix": prefix})
    with pytest.raises(UpdateError, match="more bytes than"):
        device(served(released.folder, handler))


class TricklingHandler(QuietHandler):
    """Send one byte at a time."""

    def do_GET(self):  # noqa: N802 - the name that http.server calls
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"{")
                time.sleep(0.05)
        except OSError:
            return


def test_slow_retrieval_a_server_that_trickles(released, device, served, monkeypatch):
    monkeypatch.setattr(transport, "GRACE_S", 0.5)
    with pytest.raises(UpdateError, match="sends too slowly"):
        device(served(released.folder, TricklingHandler))


def test_stolen_timestamp_key_can_sign_no_release(released, device):
    path = released.metadata / "2.targets.json"
    document = Metadata.from_bytes(path.read_bytes())
    document.signed.targets["stable/1.json"].unrecognized_fields["custom"]["rollout"] = 1
    document.signed.version += 1
    document.sign(read_key(released.keys, "timestamp", None))
    (released.metadata / "3.targets.json").write_bytes(document.to_bytes())
    snapshot = Metadata.from_bytes((released.metadata / "2.snapshot.json").read_bytes())
    snapshot.signed.meta["targets.json"].version = 3
    snapshot.signed.version = 3
    snapshot.sign(read_key(released.keys, "timestamp", None))
    (released.metadata / "3.snapshot.json").write_bytes(snapshot.to_bytes())
    released.do_timestamp(force=True)
    with pytest.raises(UpdateError, match="not signed by enough of the keys"):
        device()


def test_a_revoked_targets_key_signs_no_more(released, device, tmp_path):
    assert device().state == "switched"
    stolen = read_key(released.keys, "targets", None)
    released.revoke("targets")
    assert device().state == "current"
    newest = max(released.metadata.glob("*.targets.json"), key=lambda path: int(path.name.split(".")[0]))
    document = Metadata.from_bytes(newest.read_bytes())
    document.signed.version += 1
    document.signatures.clear()
    document.sign(stolen)
    (released.metadata / f"{document.signed.version}.targets.json").write_bytes(document.to_bytes())
    released.publish(force=True)
    with pytest.raises(UpdateError, match="not signed by enough of the keys"):
        device()


def test_fast_forward_is_recovered_by_revoking_the_stolen_keys(released, device):
    assert device().state == "switched"
    path = released.metadata / "timestamp.json"
    sound = path.read_bytes()
    document = Metadata.from_bytes(sound)
    document.signed.version = 2**31
    document.sign(read_key(released.keys, "timestamp", None))
    path.write_bytes(document.to_bytes())
    assert device().state == "current"
    path.write_bytes(sound)
    with pytest.raises(UpdateError, match="older than what this device has seen"):
        device()
    released.revoke("timestamp")
    assert device().state == "current"


def test_a_new_root_key_is_followed(released, device):
    assert device().state == "switched"
    released.revoke("root")
    assert device().state == "current"


def test_a_clock_of_1970_is_named(released, device, monkeypatch):
    from edge_runtime.update import repository
    from edge_runtime.update.repository import EARLIEST

    monkeypatch.setattr(repository, "EARLIEST", EARLIEST.replace(year=9000))  # this clock is early then
    with pytest.raises(UpdateError, match="the clock of this device is wrong"):
        device()


def test_a_device_without_a_root_trusts_nothing(released, tmp_path):
    from edge_runtime.update.repository import open_repository

    (tmp_path / "trust").mkdir()
    with pytest.raises(UpdateError, match=r"pass --root root\.json once"):
        open_repository(str(released.folder), tmp_path / "trust", None)


@pytest.mark.parametrize("path", ["../evil", "/etc/passwd", "golden/../../evil", ".hidden", "a\nb", ""])
def test_a_list_of_files_that_leaves_the_bundle_is_refused(path):
    from edge_runtime.update.release import parse_listing

    content = json.dumps({"format": 1, "files": [{"path": path, "size_bytes": 1, "sha256": "0" * 64}]}).encode()
    with pytest.raises(UpdateError, match="leaves the release or contains an unsafe character"):
        parse_listing(content, "stable 1")


def test_a_link_in_the_repository_is_not_followed(released, model_file, device, tmp_path):
    (tmp_path / "secret").write_bytes(model_file.read_bytes())
    model_file.unlink()
    model_file.symlink_to(tmp_path / "secret")
    with pytest.raises(UpdateError, match="cannot be read"):
        device()
