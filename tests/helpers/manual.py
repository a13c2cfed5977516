"""Run the commands of README.md and docs/ in order, as a reader does, in one folder with real photographs."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
INDEX = ROOT / "docs" / "README.md"
NUMBER = re.compile(r"[-+]?\d[\d,]*(\.\d+)?(e[-+]?\d+)?")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
ELISION = "..."
# Commands that run until they are stopped.
LONG_RUNNING = re.compile(r"(edge-run (serve|watch|review|collect)|mosquitto) (?!.*--(frames|count))")
PORTS = ("8080", "1883")  # the ports in the pages; free ports replace them, so that a busy port fails no test
OUTPUT_TIMEOUT_S, STOP_TIMEOUT_S = 60.0, 30.0


class Shown(NamedTuple):
    """A command, the page that contains it, and the output that the page shows for it."""

    page: str
    line: str
    output: tuple[str, ...]


class Result(NamedTuple):
    """The result of a command.

    Attributes:
        code: exit code.
        out: standard output; for a long-running command also standard error.
        err: standard error.
        ended: whether the command ended by itself; a long-running command is stopped.
        missing: name of the program that is not installed; the command was not run.

    """

    code: int
    out: str
    err: str
    ended: bool = True
    missing: str = ""


def pages() -> list[Path]:
    """Return README.md, docs/README.md and the pages that the latter links to, in its order."""
    linked = [
        target for target in LINK.findall(INDEX.read_text(encoding="utf-8")) if re.fullmatch(r"[\w-]+\.md", target)
    ]
    found = [INDEX.parent / name for name in dict.fromkeys(linked)]
    return [ROOT / "README.md", INDEX, *(page for page in found if page.exists())]


def blocks(page: Path, language: str) -> list[str]:
    """Return the texts of a page's fenced blocks in one language."""
    return [text for tag, text in FENCE.findall(page.read_text(encoding="utf-8")) if tag == language]


def name_of(page: Path) -> str:
    """Return a page's path relative to the repository."""
    return page.relative_to(ROOT).as_posix()


def shown_commands() -> list[Shown]:
    """Return every command in the `console` blocks: a line that begins with `$ `, and its continuation lines."""
    found: list[Shown] = []
    for page in pages():
        for block in blocks(page, "console"):
            for line in block.replace("\\\n", "").splitlines():
                if line.startswith("$ "):
                    found.append(Shown(name_of(page), " ".join(line[2:].partition("  #")[0].split()), ()))
                elif line.strip():
                    found[-1] = found[-1]._replace(output=(*found[-1].output, line))
    return found


def edge_words(block: str) -> list[list[str]]:
    """Return the words of each `edge-*` command in a shell block, up to a pipe, a redirection or the line's end."""
    import shlex

    found = []
    for line in block.replace("\\\n", "").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = list(lexer)
        for at, word in enumerate(words):
            if Path(word).name in {"edge-train", "edge-export", "edge-run"}:
                end = next(
                    (i for i in range(at, len(words)) if words[i] in {"|", "||", "&&", ">", ";", "&"}), len(words)
                )
                found.append([Path(word).name, *words[at + 1 : end]])
    return found


class Reader:
    """Runs commands in a folder, with the packages and the programs of this environment.

    Attributes:
        folder: the folder.

    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._results: dict[str, Result] = {}
        self._ports = dict(zip(PORTS, _free_ports(len(PORTS)), strict=True))
        binaries = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin"))
        self._environment = {
            **os.environ,
            "PATH": binaries,
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "XDG_CONFIG_HOME": str(folder / ".config"),
        }

    def follow(self, commands: list[Shown]) -> dict[tuple[str, str], Result]:
        """Run a page's commands in order, and return their results by page and line.

        A line that has been run before is not run again. Long-running commands are stopped at the end of the page.
        """
        results: dict[tuple[str, str], Result] = {}
        running: list[tuple[Shown, subprocess.Popen[bytes]]] = []
        for shown in commands:
            program = shown.line.split()[0]
            if shutil.which(program, path=self._environment["PATH"]) is None:
                results[shown.page, shown.line] = Result(0, "", "", missing=program)
            elif LONG_RUNNING.match(shown.line):
                running.append((shown, self._start(shown)))
            else:
                results[shown.page, shown.line] = self.run(shown.line)
        for shown, process in reversed(running):
            results[shown.page, shown.line] = self._stop(shown, process)
        return results

    def run(self, line: str) -> Result:
        """Run a shell line and return its result, or the earlier result of the same line."""
        if line not in self._results:
            command = ["bash", "-c", self._with_free_ports(line)]
            done = subprocess.run(command, cwd=self.folder, capture_output=True, check=False, env=self._environment)
            self._results[line] = Result(
                done.returncode, self._with_documented_ports(done.stdout), self._with_documented_ports(done.stderr)
            )
        return self._results[line]

    def _start(self, shown: Shown) -> subprocess.Popen[bytes]:
        """Start a command and wait until it has printed the output that the page shows."""
        path = self._log(shown)
        with path.open("wb") as log:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {self._with_free_ports(shown.line)}"],
                cwd=self.folder, stdout=log, stderr=log, env=self._environment,
            )  # fmt: skip
        deadline_s = time.monotonic() + OUTPUT_TIMEOUT_S
        while time.monotonic() < deadline_s and process.poll() is None:
            if path.stat().st_size and contains_shown(self._with_documented_ports(path.read_bytes()), shown.output):
                break
            time.sleep(0.1)
        return process

    def _stop(self, shown: Shown, process: subprocess.Popen[bytes]) -> Result:
        """Stop a command as Ctrl-C does, unless it has ended by itself."""
        ended = process.poll() is not None
        if not ended:
            process.send_signal(signal.SIGINT)
        code = process.wait(STOP_TIMEOUT_S)
        return Result(code, self._with_documented_ports(self._log(shown).read_bytes()), "", ended)

    def _log(self, shown: Shown) -> Path:
        return self.folder / f".{re.sub(r'[^a-z]+', '-', f'{shown.page} {shown.line}'.lower())[:100]}.log"

    def _with_free_ports(self, line: str) -> str:
        for documented, free in self._ports.items():
            line = re.sub(rf"\b{documented}\b", free, line)
        return line

    def _with_documented_ports(self, output: bytes) -> str:
        text = output.decode(errors="replace")
        for documented, free in self._ports.items():
            text = re.sub(rf"\b{free}\b", documented, text)
        return text


def normalized(lines: list[str]) -> list[str]:
    """Return the lines without what varies between machines: numbers become `#`, and spaces are normalized."""
    return [" ".join(NUMBER.sub("#", line).split()) for line in lines if line.strip()]


def matches_shown(output: str, shown: tuple[str, ...]) -> bool:
    """Return whether an output consists of the shown lines; `...` matches any lines, `…` any part of a line."""
    pattern = "".join(r"(.*\n)*?" if line == ELISION else f"{_pattern(line)}\n" for line in normalized(list(shown)))
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in normalized(output.splitlines()))) is not None


def contains_shown(output: str, shown: tuple[str, ...]) -> bool:
    """Return whether an output contains the shown lines in their order; other lines may be between them."""
    lines = iter(normalized(output.splitlines()))
    expected = [_pattern(line) for line in normalized(list(shown)) if line != ELISION]
    return all(any(re.fullmatch(pattern, line) for line in lines) for pattern in expected)


def _pattern(line: str) -> str:
    return re.escape(line).replace("…", ".*")


def _free_ports(count: int) -> list[str]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [str(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports
