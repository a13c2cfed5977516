"""The systems that a Raspberry Pi may run, and the processors that it may have."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from emulated.packages import unpacked

if TYPE_CHECKING:
    from pathlib import Path

PROCESSORS = {"cortex-a53": 0xD03, "cortex-a72": 0xD08, "cortex-a76": 0xD0B}  # of a Pi 3, 4 and 5; their part numbers
CORES = 4
# qemu 7.2 would show the host's file, on which the runtimes' processor detection crashes.
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
        name: for folders and test names.
        suite: the Debian release beneath it.
        architecture: Debian's word.
        machine: what `uname -m` says.
        python: "3.11".
        glibc: the minor version, which bounds the wheels that it takes.
        extra: the extra of ours that is installed.
        pins: the versions that the counted costs belong to; they change with the budgets.
        packages: Debian's packages beside Python.
        from_debian: distributions that these bring, where there are no wheels.
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
        """Give the folder that holds the system's files."""
        wanted = ("python3", "libstdc++6", "libgomp1", "libatomic1", "busybox-static", *self.packages)
        name = f"root-{self.suite}-{self.architecture}"
        return unpacked(name, self.suite, self.architecture, wanted, self.python)


LITERT_PINS = ("ai-edge-litert==2.3.0", "numpy==2.4.6", "pillow==13.0.0")
BOOKWORM = Target("bookworm-arm64", "bookworm", "arm64", "aarch64", "3.11", 36, "pi", LITERT_PINS)
TRIXIE = Target("trixie-arm64", "trixie", "arm64", "aarch64", "3.13", 41, "pi", LITERT_PINS)
# A Pi's pip finds NumPy and Pillow for it on piwheels.org; PyPI has neither, so Debian's stand in, although this Pillow
# (9.4) is older than the runtime asks for: it lacks what pictures with transparency need, and resizes as 12 did.
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
# Not a system of its own: what an owner gets who chooses the old runtime on a 64-bit system.
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
# Raspberry Pi OS holds NumPy already, for its camera: what pip adds to an environment that sees it. Its Pillow is older
# than what is asked for.
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
    """Give what /proc/cpuinfo says on a Pi with this processor."""
    features = FEATURES + DOT_PRODUCT * (processor == "cortex-a76")
    return "".join(CPUINFO.format(core=core, features=features, part=PROCESSORS[processor]) for core in range(CORES))
