"""edge-export release: publish bundles as signed releases in a folder of static files."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.command_line.runner import SUCCESS, UsageError, set_action
from edge_runtime.system.credentials import read_secret
from export.commands.table import print_table

if TYPE_CHECKING:
    from export.release.metadata import SignedMetadata

ROLES = ("root", "targets", "snapshot", "timestamp")


@dataclass(frozen=True)
class ReleaseOptions:
    """The options of `edge-export release`, as its help describes them."""

    bundle: Path | None
    repository: Path
    keys: Path | None
    passphrase_file: Path | None
    channel: str
    rollout: int | None
    notes: str
    release: int | None
    init: bool
    renew: bool
    list: bool
    withdraw: int | None
    revoke: str | None


def add_parser(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the subcommand."""
    parser = commands.add_parser(
        "release",
        help="publish a bundle as a signed release that devices fetch by themselves",
        description="Add a bundle to a repository: a folder of static files, signed as The Update Framework specifies, "
        "for any web server, USB stick or rsync. edge-run update fetches from it.",
        example="edge-export release bundle --repository releases --keys keys --rollout 10%",
    )
    parser.add_argument("bundle", metavar="BUNDLE", type=Path, nargs="?", help="the bundle to release")
    parser.add_argument("--repository", metavar="DIR", type=Path, required=True, help="the folder of static files")
    parser.add_argument("--keys", metavar="DIR", type=Path, help="the folder of the private keys; never publish it")
    parser.add_argument(
        "--passphrase-file", metavar="FILE", type=Path, help="its first line encrypts the keys of root and targets"
    )
    parser.add_argument("--channel", metavar="NAME", default="stable", help="default: stable")
    parser.add_argument(
        "--rollout", metavar="PERCENT", type=_percent, help="share of the devices that take it (default: 100%%)"
    )
    parser.add_argument("--notes", metavar="TEXT", default="", help="one line for people")
    parser.add_argument(
        "--release", metavar="N", type=int, help="with --rollout: the release to change (default: newest)"
    )
    steps = parser.add_argument_group("other steps, without a BUNDLE").add_mutually_exclusive_group()
    steps.add_argument("--init", action="store_true", help="create the repository and its keys")
    steps.add_argument("--renew", action="store_true", help="sign snapshot and timestamp again; needs only these keys")
    steps.add_argument("--list", action="store_true", help="show channels, versions and expiry; needs no key")
    steps.add_argument("--withdraw", metavar="N", type=int, help="make devices leave a release")
    steps.add_argument("--revoke", metavar="ROLE", choices=ROLES, help=f"replace a key: {', '.join(ROLES)}")
    set_action(parser, ReleaseOptions, release)


def release(options: ReleaseOptions) -> int:
    """Do the step that the options name and print what was made."""
    from export.release.metadata import SignedMetadata

    if options.list:
        return _show(SignedMetadata(options.repository, options.repository, None))
    if options.keys is None:
        raise UsageError("--keys DIR is needed: the folder of the private keys")
    if options.keys.resolve().is_relative_to(options.repository.resolve()):
        raise UsageError("--keys must not be inside the repository, which is published")
    passphrase = None if options.passphrase_file is None else read_secret(options.passphrase_file)
    return _change(SignedMetadata(options.repository, options.keys, passphrase), options)


def _change(repository: SignedMetadata, options: ReleaseOptions) -> int:
    from export.release.release import add_release, change_release

    if options.init:
        repository.create()
        _say(
            f"{options.repository}: repository created; its keys are in {options.keys}. Keep a copy of root.pem and "
            f"targets.pem offline, and give {options.repository / 'root.json'} to each device once"
        )
    elif options.renew:
        repository.publish(force=True)
        _say(f"{options.repository}: devices accept it until {repository.timestamp().expires:%Y-%m-%d}")
    elif options.revoke:
        repository.revoke(options.revoke)
        _say(f"{options.repository}: the key of the role {options.revoke} is replaced; publish the repository now")
    elif options.withdraw is not None:
        changed = change_release(repository, options.channel, options.withdraw, withdrawn=True)
        _say(f"{changed}: withdrawn; devices leave it at their next update")
    elif options.bundle is not None:
        rollout = 100 if options.rollout is None else options.rollout
        added = add_release(repository, options.bundle, options.channel, rollout, options.notes)
        print(f"{added}: {added.facts.size_bytes / 1e6:.1f} MB, for {rollout}% of the devices")
        _say(f"publish the folder {options.repository}; devices fetch it with: edge-run update --repository …")
    elif options.rollout is not None:
        changed = change_release(repository, options.channel, options.release, rollout=options.rollout)
        print(f"{changed}: for {changed.facts.rollout}% of the devices")
    else:
        raise UsageError("name a BUNDLE to release, or one of --init, --renew, --list, --withdraw, --revoke, --rollout")
    return SUCCESS


def _show(repository: SignedMetadata) -> int:
    from export.release.release import releases_of

    rows = [("channel", "version", "created", "rollout", "size", "proof", "notes")]
    for one in releases_of(repository):
        facts = one.facts
        rows.append(
            (
                one.channel,
                str(one.version),
                facts.created[:10],
                "withdrawn" if facts.withdrawn else f"{facts.rollout}%",
                f"{facts.size_bytes / 1e6:.1f} MB",
                facts.proof,
                facts.notes,
            )
        )
    print_table(rows)
    for role in ROLES:
        print(f"{role}: valid until {repository.open(role).signed.expires:%Y-%m-%d}")
    return SUCCESS


def _say(line: str) -> None:
    print(f"edge-export: {line}", file=sys.stderr)


def _percent(text: str) -> int:
    digits = text.removesuffix("%")
    if not (digits.isascii() and digits.isdigit() and int(digits) <= 100):
        raise argparse.ArgumentTypeError(f"must be a percentage from 0 to 100, not {text!r}")
    return int(digits)
