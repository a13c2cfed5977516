"""edge-run service: print a systemd unit that runs watch or serve, or that updates the model."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.command_line.numbers import duration_s, positive_int
from edge_runtime.command_line.runner import SUCCESS, USAGE, UsageError, set_action
from edge_runtime.errors import BundleError, SourceError
from edge_runtime.system.unit import CPU_PERCENT, MEMORY_MB, WATCHDOG_S, separated, unit

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

READ_OPTIONS = ("--repository", "--root")


@dataclass(frozen=True)
class ServiceOptions:
    """The options of `edge-run service`, as its help describes them."""

    bundle: str | None
    source: str | None
    serve: bool
    update: str | None
    timer: float | None  # seconds
    user: str | None
    memory_mb: int
    cpu_percent: int
    watchdog_s: int
    options: str


def add_parser(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the subcommand."""
    command = commands.add_parser(
        "service",
        help="print a systemd unit that runs watch or serve, or updates the model",
        description="Print a hardened systemd unit. It restarts a classifier that stalls or needs too much memory. "
        "With --update, print the service or the timer that updates the model.",
        example="edge-run service bundle --source 0 --serve",
    )
    command.add_argument(
        "bundle",
        metavar="BUNDLE",
        nargs="?",
        help="folder that edge-export wrote, or MODELS/current of edge-run update",
    )
    command.add_argument("--source", metavar="S", help="as for watch")
    command.add_argument("--serve", action="store_true", help="run serve, with its page, instead of watch")
    command.add_argument(
        "--user", metavar="NAME", help="the user it runs as (default: you; for root, a user that systemd creates)"
    )
    command.add_argument(
        "--memory-mb", type=positive_int, default=MEMORY_MB, help=f"memory limit (default: {MEMORY_MB})"
    )
    command.add_argument(
        "--cpu-percent", type=positive_int, default=CPU_PERCENT, help=f"100 is one core (default: {CPU_PERCENT})"
    )
    command.add_argument(
        "--watchdog-s",
        type=positive_int,
        default=WATCHDOG_S,
        help=f"restart after this number of seconds without a decision on a fresh frame (default: {WATCHDOG_S})",
    )
    command.add_argument(
        "--options",
        metavar="TEXT",
        default="",
        help="further options of watch or serve, quoted: --options='--mqtt broker --event-log events.db'",
    )
    _add_update_options(command)
    set_action(command, ServiceOptions, service, complete=_complete)


def _add_update_options(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("update")
    group.add_argument(
        "--update",
        metavar="TEXT",
        help="print a unit that runs edge-run update once with these options, quoted: "
        "--update='--repository https://example.org/releases --models models'",
    )
    group.add_argument(
        "--timer", metavar="TIME", type=duration_s, help="print the timer that starts this unit, such as every 1h"
    )


def _complete(args: argparse.Namespace) -> None:
    """Raise UsageError if the arguments do not name one unit."""
    if args.update is None and (args.bundle is None or args.source is None):
        raise UsageError("BUNDLE and --source S are needed, or --update TEXT")
    if args.update is not None and (args.bundle or args.source):
        raise UsageError("--update prints a unit of its own; it takes neither BUNDLE nor --source")
    if args.timer is not None and args.update is None:
        raise UsageError("--timer needs --update TEXT")


def service(options: ServiceOptions) -> int:
    """Print the unit; return 2 if the command that it runs would not accept the options."""
    import getpass

    user = options.user or os.environ.get("SUDO_USER") or getpass.getuser()
    if options.update is None:
        text, name = _classifier_unit(options, user), "edgewise.service"
    else:
        text = _update_unit(options, options.update, user)
        name = "edgewise-update.timer" if options.timer else "edgewise-update.service"
    if text is None:
        return USAGE
    print(text, end="")
    if sys.stdout.isatty():
        print(f"edge-run: write it with > {name}, move it to /etc/systemd/system/ and enable it", file=sys.stderr)
    return SUCCESS


def _classifier_unit(options: ServiceOptions, user: str) -> str | None:
    """Return the unit that runs watch or serve; None if it would not accept the options."""
    from edge_runtime.update.follow import is_followed

    bundle, source = options.bundle or "", options.source or ""
    if not Path(bundle).is_dir():
        raise BundleError(f"{bundle}: no such bundle folder; edge-export writes one")
    subcommand, further = "serve" if options.serve else "watch", _split("--options", options.options)
    _refuse_secrets([source, *further])
    if not _accepted([subcommand, bundle, "--source", source, *further]):
        return None
    # The link to the current model stays a link: the command follows it.
    models = Path(bundle).parent.resolve() if is_followed(bundle) else None
    return unit(
        models / Path(bundle).name if models else Path(bundle).resolve(),
        source,
        further,
        subcommand=subcommand,
        user=user,
        models=models,
        memory_mb=options.memory_mb,
        cpu_percent=options.cpu_percent,
        watchdog_s=options.watchdog_s,
    )


def _update_unit(options: ServiceOptions, text: str, user: str) -> str | None:
    """Return the unit that updates the model, or its timer; None if edge-run update would not accept the options."""
    from edge_runtime.system.update_unit import update_timer, update_unit

    words = _split("--update", text)
    _refuse_secrets(words)
    accepted = _accepted(["update", *words])
    if accepted is None:
        return None
    if accepted.every is not None:
        raise UsageError("--update TEXT contains --every, but the unit updates once; pass --timer TIME for the timer")
    if options.timer is not None:
        return update_timer(options.timer)
    return update_unit(
        _absolute(words),
        repository=accepted.repository,
        models=accepted.models,
        shadow_s=accepted.shadow,
        user=user,
        memory_mb=options.memory_mb,
    )


def _refuse_secrets(words: Sequence[str]) -> None:
    """Raise SourceError if a word contains a password: every user can read a unit and the list of processes."""
    from edge_runtime.system.addresses import has_secret

    for word in words:
        if has_secret(word):
            raise SourceError(
                "the address contains a password, which every user could read in the unit and the list of processes; "
                "write the address into a file of mode 600 and name it with @: --source @/etc/edgewise/camera"
            )


def _absolute(words: Sequence[str]) -> list[str]:
    """Return the options of an update with absolute paths of what it reads, because a unit runs in another folder."""
    found: list[str] = []
    for word in separated(words):
        is_path = found and found[-1] in READ_OPTIONS and "://" not in word
        found.append(str(Path(word).absolute()) if is_path else word)
    return found


def _split(option: str, text: str) -> list[str]:
    import shlex

    try:
        return shlex.split(text)
    except ValueError as problem:
        raise SourceError(f"{option} {text!r}: {problem}") from None


def _accepted(argv: Sequence[str]) -> argparse.Namespace | None:
    """Return what edge-run makes of these words; print why it refuses them, and return None.

    A unit that cannot start would restart for ever.
    """
    from edge_runtime.command_line.parser import CommandParser
    from edge_runtime.commands import serve, update, watch

    parser = CommandParser(prog="edge-run")
    {"serve": serve, "update": update, "watch": watch}[argv[0]].add_parser(parser.add_subparsers())
    accepted: argparse.Namespace | None = None
    with contextlib.suppress(SystemExit):
        accepted = parser.parse_args(argv)
    return accepted
