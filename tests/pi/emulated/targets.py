"""The systems and processors of the emulated Raspberry Pis."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from emulated.packages import unpack_packages

if TYPE_CHECKING:
    from pathlib import Path

# The processors of the Pi 3, 4 and 5, with their part numbers.
PROCESSORS = {"cortex-a53": 0xD03, "cortex-a72": 0xD08, "cortex-a76": 0xD0B}
CORES = 4
# QEMU 7.2 shows the host's file, with which the processor detection of LiteRT crashes.
CPUINFO = """\
processor\t: {core}
BogoMIPS\t: 108.00
Features\t: {features}
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0x{part:x}
CPU revision\t: 3

"""
FEATURES = "fp asimd evtstrm crc32 cpuid"
DOT_PRODUCT = " atomics fphp asimdhp asimdrdm lrcpc dcpop asimddp"


@dataclass(frozen=True)
class Target:
    """One system.

    Attributes:
        name: name for folders and tests.
        suite: the Debian release.
        architecture: Debian's name of the architecture, such as "arm64".
        machine: output of `uname -m`.
        python: version of Python, such as "3.11".
        glibc: minor version of glibc 2, which limits the wheels that can be installed.
        extra: the extra of edgewise that is installed.
        pins: versions of the dependencies; the budgets are measured with these versions.
        packages: Debian packages in addition to Python.
        from_debian: distributions that come from these packages instead of wheels.
        qemu: the user-mode emulator.

    """

    name: str
    suite: str
    architecture: str
    machine: str
    python: str
    glibc: int
    extra: str
    pins: tuple[str, ...]
    packages: tuple[str, ...] = ()
    from_debian: tuple[str, ...] = ()
    qemu: str = "qemu-aarch64"

    def root(self) -> Path:
        """Return the folder with the files of the system."""
        packages = ("python3", "libstdc++6", "libgomp1", "libatomic1", "busybox-static", *self.packages)
        name = f"root-{self.suite}-{self.architecture}"
        return unpack_packages(name, self.suite, self.architecture, packages, self.python)


LITERT_PINS = ("ai-edge-litert==2.3.0", "numpy==2.4.6", "pillow==13.0.0")
BOOKWORM = Target("bookworm-arm64", "bookworm", "arm64", "aarch64", "3.11", 36, "pi", LITERT_PINS)
TRIXIE = Target("trixie-arm64", "trixie", "arm64", "aarch64", "3.13", 41, "pi", LITERT_PINS)
# On a Pi, pip installs NumPy and Pillow from piwheels.org. PyPI does not have them for this system, so Debian's
# packages are used. Debian's Pillow 9.4 is older than the runtime requires: pictures with transparency do not work with
# it, and it resizes as version 12 does.
ARMHF = Target(
    "bookworm-armhf",
    "bookworm",
    "armhf",
    "armv7l",
    "3.11",
    36,
    "pi",
    ("tflite-runtime==2.14.0",),
    packages=("python3-numpy", "python3-pil"),
    from_debian=("numpy", "pillow"),
    qemu="qemu-arm",
)
# The same system with the older runtime, which can be chosen on 64-bit systems.
TFLITE = Target(
    "bookworm-arm64-tflite",
    "bookworm",
    "arm64",
    "aarch64",
    "3.11",
    36,
    "tflite-runtime",
    ("tflite-runtime==2.14.0", "numpy==1.26.4", "pillow==13.0.0"),
)
# A virtual environment that uses the system's NumPy, which Raspberry Pi OS installs for its camera. Its Pillow is older
# than the runtime requires, so pip installs another one.
BOOKWORM_SHARED = replace(
    BOOKWORM,
    name="bookworm-arm64-shared",
    pins=("ai-edge-litert==2.3.0", "pillow==13.0.0"),
    packages=("python3-numpy",),
    from_debian=("numpy",),
)
TRIXIE_SHARED = replace(
    BOOKWORM_SHARED, name="trixie-arm64-shared", suite=TRIXIE.suite, python=TRIXIE.python, glibc=TRIXIE.glibc
)
BOOKWORM_SHARED_TFLITE = replace(
    BOOKWORM_SHARED,
    name="bookworm-arm64-shared-tflite",
    extra="tflite-runtime",
    pins=("tflite-runtime==2.14.0", "pillow==13.0.0"),
)


def cpuinfo(processor: str) -> str:
    """Return the content of /proc/cpuinfo on a Pi with this processor."""
    features = FEATURES + DOT_PRODUCT * (processor == "cortex-a76")
    return "".join(CPUINFO.format(core=core, features=features, part=PROCESSORS[processor]) for core in range(CORES))
