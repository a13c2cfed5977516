"""Debian's arm64 kernel, and an initial file system that loads its modules and switches to the root file system.

The archive is written in Python, so that cpio, depmod and root access are not needed.
"""

from __future__ import annotations

import gzip
import lzma
import re
import stat
from typing import TYPE_CHECKING

from emulated.cache import cached, digest
from emulated.packages import unpack_packages

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from emulated.targets import Target

MODULES = ("virtio_mmio", "virtio_blk", "virtio_rng", "crc32c_generic", "ext4", "vivid")
FOLDERS = ("bin", "proc", "sys", "dev", "modules", "root")
ROOT_DEVICE = "/dev/vda"
# vivid: a virtual HDMI input and output, connected so that frames sent to /dev/video1 are captured from /dev/video0.
VIVID = "n_devs=1 node_types=0x101 num_inputs=1 input_types=0x3 num_outputs=1 output_types=0x1"
INIT = f"""\
#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc; $b mount -t sysfs sys /sys; $b mount -t devtmpfs dev /dev
for module in /modules/*.ko; do
    case $module in *-vivid.ko) options="{VIVID}";; *) options=;; esac
    $b insmod $module $options || echo "insmod $module failed"
done
for try in $($b seq 40); do [ -b {ROOT_DEVICE} ] && break; $b sleep 0.25; done
$b mount -t ext4 -o rw {ROOT_DEVICE} /root
$b mkdir -p /root/run /root/dev/shm; $b cp /modules/*-vivid.ko /root/vivid.ko
for part in proc sys dev; do $b mount --move /$part /root/$part; done
$b mount -t tmpfs tmpfs /root/tmp
exec $b switch_root /root $($b sed 's/.*init=//; s/ .*//' /root/proc/cmdline)
"""


def kernel(target: Target) -> Path:
    """Return the folder of a target's unpacked kernel package."""
    return unpack_packages(f"kernel-{target.suite}", target.suite, target.architecture, ["linux-image-arm64"])


def kernel_image(target: Target) -> Path:
    """Return the path of the kernel."""
    return next((kernel(target) / "boot").glob("vmlinuz-*"))


def initial_file_system(target: Target) -> Path:
    """Return the path of the compressed archive that the kernel unpacks into memory."""
    modules = _modules(kernel(target))
    busybox = target.root() / "bin" / "busybox"

    def make(folder: Path) -> None:
        content = b"".join(_archive(busybox, modules))
        (folder / "initrd.gz").write_bytes(gzip.compress(content, 6))

    return cached("initrd", [str(kernel(target)), digest(busybox), INIT, MODULES], make) / "initrd.gz"


def _modules(folder: Path) -> list[Path]:
    """Return the files of MODULES and of the modules that they depend on, in the order of loading."""
    files = {path.name.split(".ko")[0].replace("-", "_"): path for path in folder.glob("lib/modules/**/*.ko*")}
    order: list[str] = []

    def add(name: str) -> None:
        if name in order or name not in files:  # a module without a file is built into the kernel
            return
        needed = re.search(rb"\0depends=([^\0]*)\0", _decompressed(files[name]))
        for other in needed[1].decode().split(",") if needed else ():
            add(other.replace("-", "_"))
        order.append(name)

    for name in MODULES:
        add(name)
    return [files[name] for name in order]


def _decompressed(module: Path) -> bytes:
    content = module.read_bytes()
    return lzma.decompress(content) if module.suffix == ".xz" else content


def _archive(busybox: Path, modules: Iterable[Path]) -> Iterator[bytes]:
    """Yield the parts of a cpio archive, https://docs.kernel.org/driver-api/early-userspace/buffer-format.html."""
    for folder in FOLDERS:
        yield _entry(folder, stat.S_IFDIR | 0o755)
    yield _entry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    yield _entry("bin/busybox", stat.S_IFREG | 0o755, busybox.read_bytes())
    yield _entry("init", stat.S_IFREG | 0o755, INIT.encode())
    for number, module in enumerate(modules):
        name = module.name.split(".ko")[0]
        yield _entry(f"modules/{number:02}-{name}.ko", stat.S_IFREG | 0o644, _decompressed(module))
    yield _entry("TRAILER!!!", 0)


def _entry(name: str, mode: int, content: bytes = b"", device: tuple[int, int] = (0, 0)) -> bytes:
    text = name.encode() + b"\0"
    inode, user, group, links, time, checksum = 0, 0, 0, 1, 0, 0
    fields = (inode, mode, user, group, links, time, len(content), 0, 0, *device, len(text), checksum)
    head = b"070701" + b"".join(b"%08X" % value for value in fields) + text
    return head + b"\0" * (-len(head) % 4) + content + b"\0" * (-len(content) % 4)
