"""The signed metadata of a repository, read and written as The Update Framework specifies it.

See https://theupdateframework.github.io/specification; python-tuf makes and signs the documents.
"""

from __future__ import annotations

from copy import deepcopy
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, Targets, Timestamp
from tuf.repository import Repository

from edge_runtime.storage.json_files import write_bytes
from export.errors import ExportError
from export.release.keys import ROLES, create_key, read_key, retire_key

if TYPE_CHECKING:
    from pathlib import Path

# Until when devices accept a document. `--renew` makes new ones of the two short-lived roles.
LIFETIME = {
    "root": timedelta(days=730),
    "targets": timedelta(days=365),
    "snapshot": timedelta(days=14),
    "timestamp": timedelta(days=14),
}
NEW = {"root": Root, "targets": Targets, "snapshot": Snapshot, "timestamp": Timestamp}


class SignedMetadata(Repository):
    """The metadata folder of a repository, and the keys that sign it.

    The documents are written in the order targets, snapshot, timestamp: devices see a change when the last of them,
    timestamp.json, is replaced, and an interrupted command leaves the older state.

    Attributes:
        folder: the repository.
        keys: the folder of the private keys; a key is read when a document of its role is signed.
        passphrase: decrypts the keys of root and targets; None if they are not encrypted.

    """

    def __init__(self, folder: Path, keys: Path, passphrase: str | None) -> None:
        """Store where the repository and its keys are; nothing is read yet."""
        self.folder = folder
        self.keys = keys
        self.passphrase = passphrase
        self._co_signers: list[Any] = []  # sign the next root document in addition to the root key

    @property
    def metadata(self) -> Path:
        """Return the folder of the documents."""
        return self.folder / "metadata"

    @property
    def targets_infos(self) -> dict[str, MetaFile]:
        """Return what a snapshot says of the targets."""
        return {"targets.json": MetaFile(self.targets().version)}

    @property
    def snapshot_info(self) -> MetaFile:
        """Return what a timestamp says of the snapshot."""
        return MetaFile(self.snapshot().version)

    def create(self) -> None:
        """Create the keys and the first documents. Raise ExportError if the repository exists."""
        if self.metadata.exists():
            raise ExportError(f"{self.folder}: is a repository already; --list shows its releases")
        signers = {role: create_key(self.keys, role, self.passphrase) for role in ROLES}
        self.metadata.mkdir(parents=True)
        with self.edit_root() as root:
            for role, signer in signers.items():
                root.add_key(signer.public_key, role)
        self._sign_targets()
        self.publish(force=True)

    def publish(self, *, force: bool = False) -> None:
        """Sign the current state of the targets, which makes it visible to devices; `force` also if it is known."""
        self.do_snapshot(force=force)
        self.do_timestamp(force=force)

    def revoke(self, role: str) -> None:
        """Replace the key of a role. Devices stop to accept what the old key signs when they see the new root."""
        old_root = read_key(self.keys, "root", self.passphrase)
        self.open(role)
        retire_key(self.keys, role)
        new = create_key(self.keys, role, self.passphrase)
        self._co_signers = [old_root] if role == "root" else []
        with self.edit_root() as root:
            for keyid in list(root.roles[role].keyids):
                root.revoke_key(keyid, role)
            root.add_key(new.public_key, role)
        self._co_signers = []
        if role == "targets":
            self._sign_targets()
        self.publish(force=True)

    def open(self, role: str) -> Metadata[Any]:
        """Return the newest document of a role; a new one of version 0 if there is none. Raise ExportError."""
        versions = self._versions(role)
        if not versions:
            if role != "root" and not self._versions("root"):
                raise ExportError(f"{self.folder}: no repository; create it with: edge-export release --init")
            signed = NEW[role]()
            signed.version = 0
            return Metadata(signed)
        path = versions[max(versions)]
        try:
            return Metadata.from_bytes(path.read_bytes())
        except (OSError, RepositoryError) as problem:
            raise ExportError(f"{path}: cannot be read: {' '.join(str(problem).split())}") from None

    def close(self, role: str, md: Metadata[Any]) -> None:
        """Sign the next version of a document and write it."""
        md.signed.version += 1
        md.signed.expires = datetime.now(timezone.utc).replace(microsecond=0) + LIFETIME[role]
        md.signatures.clear()
        for signer in (read_key(self.keys, role, self.passphrase), *(self._co_signers if role == "root" else [])):
            md.sign(signer, append=True)
        self._require_valid(role, md)
        name = "timestamp.json" if role == "timestamp" else f"{md.signed.version}.{role}.json"
        write_bytes(self.metadata / name, md.to_bytes())
        if role == "root":  # what a device gets when it is set up
            write_bytes(self.folder / "root.json", md.to_bytes())

    def _sign_targets(self) -> None:
        """Write the next version of the targets, with the same content."""
        with self.edit_targets():
            pass

    def _require_valid(self, role: str, md: Metadata[Any]) -> None:
        """Raise ExportError unless devices will accept a document: it was signed by the key that the root names."""
        root = md.signed if role == "root" else deepcopy(self.root())
        try:
            root.verify_delegate(role, md.signed_bytes, md.signatures)
        except (RepositoryError, ValueError):
            raise ExportError(
                f"{self.keys / role}.pem: not the key that the repository {self.folder} names for the role {role}"
            ) from None

    def _versions(self, role: str) -> dict[int, Path]:
        if role == "timestamp":
            path = self.metadata / "timestamp.json"
            return {1: path} if path.exists() else {}
        paths = self.metadata.glob(f"*.{role}.json")
        return {int(path.name.partition(".")[0]): path for path in paths if path.name.partition(".")[0].isdigit()}
