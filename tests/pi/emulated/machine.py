"""An emulated arm64 machine: a disk image of a target's system, booted, its console read line by line."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from emulated.commands import CommandError, program, run
from emulated.kernel import initial_file_system, kernel_image

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from emulated.targets import Target

END = "MACHINE-END"  # what the guest prints when all is done
MEGABYTES = 1024
IMAGE_MEGABYTES = 2000  # most of it a hole; less would be a warning of the doctor


class Console(NamedTuple):
    """What a machine said.

    Attributes:
        lines: of its console, each with the seconds since its start.
        ended: whether it came to END; else it hung, or its kernel panicked.

    """

    lines: list[tuple[float, str]]
    ended: bool

    def text(self) -> str:
        """Give it for a person."""
        return "\n".join(f"[{seconds:6.1f}] {line}" for seconds, line in self.lines)


def disk_image(path: Path, target: Target, sites: Sequence[Path], files: Mapping[str, Path | str]) -> Path:
    """Write an ext4 image of a target's system with more in it; root is not needed.

    Args:
        path: the image.
        target: its system.
        sites: folders that go where Debian's Python looks.
        files: what else: by its path in the image a text, a file or a folder.

    """
    tree = path.with_suffix(".tree")
    _link_tree(target.root(), tree)
    for name in ("proc", "sys", "dev", "tmp", "run", "root", "var/lib"):
        (tree / name).mkdir(parents=True, exist_ok=True)
    for site in sites:
        _link_tree(site, tree / "usr" / "lib" / "python3" / "dist-packages")
    for name, content in files.items():
        place = tree / name.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            place.unlink(missing_ok=True)  # it may be a link to a file that is kept
            place.write_text(content)
            place.chmod(0o755)
        elif content.is_dir():
            shutil.copytree(content, place)
        else:
            shutil.copy(content, place)
    options = ("-q", "-F", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-E", "root_owner=0:0")
    run(program("mke2fs"), *options, "-d", tree, path, f"{IMAGE_MEGABYTES}M")
    shutil.rmtree(tree)
    return path


def boot(target: Target, image: Path, init: str, *, limit_s: float, processor: str = "cortex-a72") -> Console:
    """Boot a machine from an image and read its console until END, a panic or the limit.

    Args:
        target: the system on the image.
        image: from `disk_image`; it is written to.
        init: the program that becomes process 1.
        limit_s: when the machine is ended from outside.
        processor: what it has.

    """
    command = [program("qemu-system-aarch64"), "-M", "virt", "-cpu", processor, "-smp", "2", "-m", str(MEGABYTES)]
    command += ["-kernel", str(kernel_image(target)), "-initrd", str(initial_file_system(target))]
    command += ["-drive", f"file={image},format=raw,if=none,id=disk", "-device", "virtio-blk-device,drive=disk"]
    command += ["-device", "virtio-rng-device", "-nic", "none", "-display", "none", "-no-reboot"]
    command += ["-monitor", "none", "-serial", "stdio"]
    command += ["-append", f"console=ttyAMA0 quiet panic=-1 init={init}"]
    machine = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    limit = threading.Timer(limit_s, machine.kill)
    limit.start()
    try:
        return _read(machine)
    finally:
        limit.cancel()
        machine.kill()
        machine.wait()


def _read(machine: subprocess.Popen[bytes]) -> Console:
    if machine.stdout is None:
        raise CommandError("qemu-system-aarch64 has no console")
    began_s = time.monotonic()
    lines: list[tuple[float, str]] = []
    for raw in machine.stdout:
        line = raw.decode(errors="replace").rstrip()
        lines.append((time.monotonic() - began_s, line))
        if END in line:
            return Console(lines, ended=True)
        if "Kernel panic" in line:
            break
    return Console(lines, ended=False)


def _link_tree(source: Path, folder: Path) -> None:
    """Copy a folder's tree by hard links where the file system can, which takes no space and hardly any time."""
    try:
        shutil.copytree(source, folder, symlinks=True, copy_function=_link, dirs_exist_ok=True)
    except shutil.Error as problem:
        raise CommandError(f"{source}: cannot be copied: {problem}") from None


def _link(source: str, destination: str) -> str:
    from os import link

    try:
        link(source, destination, follow_symlinks=False)
    except OSError:  # the cache lies on another file system
        shutil.copy2(source, destination, follow_symlinks=False)
    return destination
