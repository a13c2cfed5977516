"""Boot an emulated arm64 machine from a disk image and read its console."""

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

END = "MACHINE-END"  # the guest prints it at the end
MEGABYTES = 1024
IMAGE_MEGABYTES = 2000  # sparse; with less free space, the doctor warns


class Console(NamedTuple):
    """The console of a machine.

    Attributes:
        lines: the lines, each with the seconds since the start.
        ended: whether END was printed; if not, the machine reached its time limit or its kernel panicked.

    """

    lines: list[tuple[float, str]]
    ended: bool

    def text(self) -> str:
        """Return the lines with their times."""
        return "\n".join(f"[{seconds:6.1f}] {line}" for seconds, line in self.lines)


def disk_image(path: Path, target: Target, sites: Sequence[Path], files: Mapping[str, Path | str]) -> Path:
    """Write an ext4 image of a target's system with additional files, without root access, and return its path.

    Args:
        path: the image.
        target: the system.
        sites: folders with Python packages; they are copied to Debian's `dist-packages`.
        files: other content by its path in the image: a text, or a file or folder to copy.

    """
    tree = path.with_suffix(".tree")
    _link_tree(target.root(), tree)
    for name in ("proc", "sys", "dev", "tmp", "run", "root", "var/lib"):
        (tree / name).mkdir(parents=True, exist_ok=True)
    for site in sites:
        _link_tree(site, tree / "usr" / "lib" / "python3" / "dist-packages")
    for name, content in files.items():
        destination = tree / name.lstrip("/")
        destination.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            destination.unlink(missing_ok=True)  # it may be a hard link to a cached file
            destination.write_text(content)
            destination.chmod(0o755)
        elif content.is_dir():
            shutil.copytree(content, destination)
        else:
            shutil.copy(content, destination)
    options = ("-q", "-F", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-E", "root_owner=0:0")
    run(program("mke2fs"), *options, "-d", tree, path, f"{IMAGE_MEGABYTES}M")
    shutil.rmtree(tree)
    return path


def boot(target: Target, image: Path, init: str, *, limit_s: float, processor: str = "cortex-a72") -> Console:
    """Boot a machine from an image and read its console until END, a kernel panic or the time limit.

    Args:
        target: the system on the image.
        image: an image from `disk_image`; the machine writes to it.
        init: path of the program that runs as process 1.
        limit_s: seconds after which the machine is killed.
        processor: QEMU's name of the processor.

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
    """Copy a folder with hard links where the file system supports them, which is fast and takes no space."""
    try:
        shutil.copytree(source, folder, symlinks=True, copy_function=_link, dirs_exist_ok=True)
    except shutil.Error as problem:
        raise CommandError(f"{source}: cannot be copied: {problem}") from None


def _link(source: str, destination: str) -> str:
    from os import link

    try:
        link(source, destination, follow_symlinks=False)
    except OSError:  # the cache is on another file system
        shutil.copy2(source, destination, follow_symlinks=False)
    return destination
