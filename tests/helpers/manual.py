"""README.md and docs/ as a reader follows them: their commands, run in order, in one folder of real photographs."""

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
# These go on until they are stopped, unless they are told for how long.
LASTING = re.compile(r"(edge-run (serve|watch)|mosquitto) (?!.*--frames)")
PORTS = ("8080", "1883")  # as they are written; others are taken, so that a busy one fails no test
SHOWN_WITHIN_S, STOPPED_WITHIN_S = 60.0, 30.0


class Shown(NamedTuple):
    """A command, the page that it stands on, and the lines that the page shows under it."""

    page: str
    line: str
    output: tuple[str, ...]


class Ran(NamedTuple):
    """What a command gave.

    Attributes:
        code: its exit code.
        out: its standard output; both streams of a command that goes on.
        err: its standard error.
        ended: by itself; a command that goes on was stopped.
        missing: names a program that is not installed, so that nothing was run.

    """

    code: int
    out: str
    err: str
    ended: bool = True
    missing: str = ""


def pages() -> list[Path]:
    """Give README.md, docs/README.md and the pages that it names, in its order."""
    named = [
        target for target in LINK.findall(INDEX.read_text(encoding="utf-8")) if re.fullmatch(r"[\w-]+\.md", target)
    ]
    found = [INDEX.parent / name for name in dict.fromkeys(named)]
    return [ROOT / "README.md", INDEX, *(page for page in found if page.exists())]


def blocks(page: Path, language: str) -> list[str]:
    """Give the texts of a page's fenced blocks of one language."""
    return [text for tag, text in FENCE.findall(page.read_text(encoding="utf-8")) if tag == language]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def shown_commands() -> list[Shown]:
    """Give every command in a `console` block: a line that begins with `$ `, with those it is continued on."""
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
    """Give the words of each `edge-*` command in a block of shell, from its name to what ends it."""
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
    """Runs commands in a folder, as a person with the environment of this checkout does.

    Attributes:
        folder: where.

    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._done: dict[str, Ran] = {}
        self._ports = dict(zip(PORTS, _free_ports(len(PORTS)), strict=True))
        binaries = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin"))
        self._environment = {
            **os.environ,
            "PATH": binaries,
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "XDG_CONFIG_HOME": str(folder / ".config"),
        }

    def follow(self, commands: list[Shown]) -> dict[tuple[str, str], Ran]:
        """Run a page's commands in order, each line once in all; the lasting ones end with the page."""
        ran: dict[tuple[str, str], Ran] = {}
        lasting: list[tuple[Shown, subprocess.Popen[bytes]]] = []
        for shown in commands:
            program = shown.line.split()[0]
            if shutil.which(program, path=self._environment["PATH"]) is None:
                ran[shown.page, shown.line] = Ran(0, "", "", missing=program)
            elif LASTING.match(shown.line):
                lasting.append((shown, self._start(shown)))
            else:
                ran[shown.page, shown.line] = self.run(shown.line)
        for shown, process in reversed(lasting):
            ran[shown.page, shown.line] = self._stop(shown, process)
        return ran

    def run(self, line: str) -> Ran:
        """Run a line of shell to its end, or give what it gave before."""
        if line not in self._done:
            command = ["bash", "-c", self._with_ports(line)]
            done = subprocess.run(command, cwd=self.folder, capture_output=True, check=False, env=self._environment)
            self._done[line] = Ran(done.returncode, self._as_written(done.stdout), self._as_written(done.stderr))
        return self._done[line]

    def _start(self, shown: Shown) -> subprocess.Popen[bytes]:
        """Start a command and wait until what the page shows has come."""
        path = self._log(shown)
        with path.open("wb") as log:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {self._with_ports(shown.line)}"],
                cwd=self.folder, stdout=log, stderr=log, env=self._environment,
            )  # fmt: skip
        ends_s = time.monotonic() + SHOWN_WITHIN_S
        while time.monotonic() < ends_s and process.poll() is None:
            if path.stat().st_size and has_shown(self._as_written(path.read_bytes()), shown.output):
                break
            time.sleep(0.1)
        return process

    def _stop(self, shown: Shown, process: subprocess.Popen[bytes]) -> Ran:
        """Stop a command as Ctrl-C does, unless it has ended by itself."""
        ended = process.poll() is not None
        if not ended:
            process.send_signal(signal.SIGINT)
        code = process.wait(STOPPED_WITHIN_S)
        return Ran(code, self._as_written(self._log(shown).read_bytes()), "", ended)

    def _log(self, shown: Shown) -> Path:
        return self.folder / f".{re.sub(r'[^a-z]+', '-', f'{shown.page} {shown.line}'.lower())[:100]}.log"

    def _with_ports(self, line: str) -> str:
        for written, taken in self._ports.items():
            line = re.sub(rf"\b{written}\b", taken, line)
        return line

    def _as_written(self, output: bytes) -> str:
        text = output.decode(errors="replace")
        for written, taken in self._ports.items():
            text = re.sub(rf"\b{taken}\b", written, text)
        return text


def layout(lines: list[str]) -> list[str]:
    """Reduce output to what does not vary with the machine: its words, with every number as `#`."""
    return [" ".join(NUMBER.sub("#", line).split()) for line in lines if line.strip()]


def is_as_shown(output: str, shown: tuple[str, ...]) -> bool:
    """Tell whether an output has the shown lines and no others; `...` stands for some, `…` for a part of one."""
    pattern = "".join(r"(.*\n)*?" if line == ELISION else f"{_pattern(line)}\n" for line in layout(list(shown)))
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in layout(output.splitlines()))) is not None


def has_shown(output: str, shown: tuple[str, ...]) -> bool:
    """Tell whether the shown lines have come, in their order, among others."""
    lines = iter(layout(output.splitlines()))
    wanted = [_pattern(line) for line in layout(list(shown)) if line != ELISION]
    return all(any(re.fullmatch(pattern, line) for line in lines) for pattern in wanted)


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
