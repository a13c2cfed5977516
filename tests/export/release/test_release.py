"""A repository of signed releases, and devices that take them."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge_runtime.model.bundle import Bundle
from edge_runtime.storage.json_files import read_json, write_json
from edge_runtime.update.models import Models
from edge_runtime.update.prove import Limits
from export.cli import main
from export.errors import ExportError
from export.release.keys import key_file
from export.release.metadata import SignedMetadata
from export.release.release import add_release, change_release, releases_of


def files_in(folder):
    return sorted(path.name for path in Path(folder, "files").iterdir())


def test_a_device_takes_the_newest_release_over_http_and_then_has_nothing_to_do(
    repository, bundle_named, device, served, tmp_path
):
    add_release(repository, bundle_named("one"), "stable", 100, "")
    address = served(repository.folder)
    first = device(address)
    assert (first.state, first.release.version) == ("switched", 1)
    add_release(repository, bundle_named("two"), "stable", 100, "")
    second = device(address)
    assert (second.state, second.release.version) == ("switched", 2)
    assert second.fetched_bytes < first.fetched_bytes / 10  # the model files are equal
    assert device(address).state == "current"
    models = Models(tmp_path / "models")
    assert (models.folder / "current").resolve().name == second.release.folder
    assert models.previous() == first.release.folder
    Bundle.open(models.folder / "current").check_files()


def test_equal_files_of_two_releases_are_stored_once(repository, bundle_named):
    add_release(repository, bundle_named("one"), "stable", 100, "")
    before = files_in(repository.folder)
    add_release(repository, bundle_named("two"), "stable", 100, "")
    assert len(files_in(repository.folder)) == len(before) + 1  # the manifest


def test_two_versions_stay_on_the_card_and_no_more(repository, bundle_named, device, tmp_path):
    for name in ("one", "two", "three"):
        add_release(repository, bundle_named(name), "stable", 100, "")
        device()
    versions = [path.name.rsplit("-", 1)[0] for path in (tmp_path / "models" / "versions").iterdir()]
    assert sorted(versions) == ["stable-2", "stable-3"]
    assert list((tmp_path / "models" / "partial").iterdir()) == []


def test_a_withdrawn_release_is_left_for_the_newest_other_one(repository, bundle_named, device):
    add_release(repository, bundle_named("one"), "stable", 100, "")
    add_release(repository, bundle_named("two"), "stable", 100, "")
    assert device().release.version == 2
    change_release(repository, "stable", 2, withdrawn=True)
    outcome = device()
    assert (outcome.state, outcome.release.version) == ("switched", 1)


def test_a_smaller_rollout_does_not_take_a_release_away(repository, bundle_named, device):
    add_release(repository, bundle_named("one"), "stable", 100, "")
    add_release(repository, bundle_named("two"), "stable", 100, "")
    device()
    change_release(repository, "stable", 2, rollout=0)
    assert device().state == "current"


def test_a_release_that_is_too_slow_here_is_refused_and_not_tried_again(repository, bundle_named, device, tmp_path):
    add_release(repository, bundle_named("one"), "stable", 100, "")
    assert device().state == "switched"
    add_release(repository, bundle_named("two"), "stable", 100, "")
    outcome = device(limits=Limits(max_ms=1e-6))
    assert (outcome.state, outcome.release.version) == ("refused", 2)
    assert "one inference takes" in outcome.message
    models = Models(tmp_path / "models")
    assert models.current().startswith("stable-1-")
    assert [path.name for path in models.versions.iterdir()] == [models.current()]
    assert device().state == "current"
    assert list(models.refused("stable")) == [2]


def test_a_release_whose_results_differ_on_this_device_is_refused(repository, bundle_named, device, monkeypatch):
    changed = bundle_named("changed")
    golden = read_json(changed / "golden" / "golden.json", ExportError)
    golden["images"][0]["outputs"] = {name: values[::-1] for name, values in golden["images"][0]["outputs"].items()}
    write_json(changed / "golden" / "golden.json", golden)
    manifest = read_json(changed / "manifest.json", ExportError)
    for entry in manifest["files"]:
        if entry["path"] == "golden/golden.json":
            from edge_runtime.storage.digest import sha256_of

            path = changed / entry["path"]
            entry.update(size_bytes=path.stat().st_size, sha256=sha256_of(path))
    write_json(changed / "manifest.json", manifest)
    with pytest.raises(ExportError, match="not released, because its self-test fails: infer"):
        add_release(repository, changed, "stable", 100, "")
    # A publisher whose machine computes something else than this device.
    passed = type("Passed", (), {"difference": None})
    monkeypatch.setattr("export.release.release.selftest_in_child", lambda _: passed)
    add_release(repository, changed, "stable", 100, "")
    outcome = device()
    assert outcome.state == "refused"
    assert "selftest: infer" in outcome.message


def test_an_interrupted_download_is_continued(repository, bundle_named, device, served, tmp_path):
    release = add_release(repository, bundle_named("one"), "stable", 100, "")
    largest = max((repository.folder / "files").iterdir(), key=lambda path: path.stat().st_size)
    partial = tmp_path / "models" / "partial" / largest.name
    partial.parent.mkdir(parents=True)
    partial.write_bytes(largest.read_bytes()[:1000])
    outcome = device(served(repository.folder))  # http.server ignores Range and sends the whole file
    assert outcome.state == "switched"
    assert (tmp_path / "models" / "versions" / release.folder).is_dir()


def test_killed_at_any_instant_the_current_version_is_whole(repository, bundle_named, tmp_path):
    add_release(repository, bundle_named("one"), "stable", 100, "")
    models = Models(tmp_path / "models")
    command = [sys.executable, "-m", "edge_runtime.cli", "update", "--repository", str(repository.folder)]
    command += ["--models", str(models.folder), "--root", str(repository.folder / "root.json"), "--shadow", "0"]
    started = time.monotonic()
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    whole_s = time.monotonic() - started
    add_release(repository, bundle_named("two"), "stable", 100, "")
    instants = random.Random(3)
    for _ in range(8):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(instants.uniform(0, 1.1 * whole_s))
        process.kill()
        process.wait()
        Bundle.open(models.folder / "current").check_files()
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    assert models.current().startswith("stable-2-")
    assert len(list(models.versions.iterdir())) == 2
    assert list(models.partial.iterdir()) == []


def test_the_command_initializes_releases_changes_and_lists(tmp_path, tiny_bundle, capsys, error_line):
    place = ["--repository", str(tmp_path / "releases"), "--keys", str(tmp_path / "keys")]
    (tmp_path / "passphrase").write_text("correct horse\n")
    (tmp_path / "passphrase").chmod(0o600)
    secret = ["--passphrase-file", str(tmp_path / "passphrase")]
    assert main(["release", "--init", *place, *secret]) == 0
    assert key_file(tmp_path / "keys", "targets").stat().st_mode & 0o777 == 0o600
    capsys.readouterr()
    assert "encrypted; pass --passphrase-file" in error_line(main(["release", str(tiny_bundle), *place]))
    assert main(["release", str(tiny_bundle), *place, *secret, "--rollout", "10%", "--notes", "night pictures"]) == 0
    assert main(["release", *place, *secret, "--rollout", "50", "--release", "1"]) == 0
    assert main(["release", "--renew", *place]) == 0  # needs neither the passphrase nor root.pem
    assert main(["release", "--withdraw", "1", *place, *secret]) == 0
    capsys.readouterr()
    assert main(["release", "--list", "--repository", str(tmp_path / "releases")]) == 0
    out = capsys.readouterr().out
    assert "withdrawn" in out
    assert "night pictures" in out
    assert "timestamp: valid until" in out


def test_renewing_needs_only_the_two_short_lived_keys(repository, bundle_named, device):
    add_release(repository, bundle_named("one"), "stable", 100, "")
    for role in ("root", "targets"):
        key_file(repository.keys, role).unlink()
    repository.publish(force=True)
    assert device().state == "switched"


def test_keys_inside_the_published_folder_are_refused(tmp_path, capsys):
    place = ["--repository", str(tmp_path / "releases"), "--keys", str(tmp_path / "releases" / "keys")]
    assert main(["release", "--init", *place]) == 2
    assert "must not be inside the repository" in capsys.readouterr().err
    assert not (tmp_path / "releases").exists()


def test_another_repositorys_keys_change_nothing(repository, bundle_named, tmp_path):
    other = SignedMetadata(tmp_path / "other", tmp_path / "other-keys", None)
    other.create()
    mixed = SignedMetadata(repository.folder, other.keys, None)
    with pytest.raises(ExportError, match="not the key that the repository"):
        add_release(mixed, bundle_named("one"), "stable", 100, "")
    assert releases_of(repository) == []
