"""Compare what a file requires of a runtime with what the oldest supported runtime provides."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from export.errors import ExportError
from export.runtimes.tables import ONNXRUNTIME_SUPPORT, TFLITE_RUNTIME_OPERATORS

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_FLOORS = ("tflite-runtime==2.14", "onnxruntime==1.19")
FORMAT_OF = {"tflite-runtime": "tflite", "onnxruntime": "onnx"}
FLOOR = re.compile(r"(?P<runtime>[a-z-]+)==(?P<version>\d+\.\d+)(\.\d+)?")


@dataclass(frozen=True)
class Floor:
    """The oldest runtime that must support the files of its format.

    Attributes:
        runtime: "tflite-runtime" or "onnxruntime".
        version: its major and minor version, such as "2.14".

    """

    runtime: str
    version: str

    @property
    def format(self) -> str:
        """Return the file format that it reads: "tflite" or "onnx"."""
        return FORMAT_OF[self.runtime]

    @property
    def installed(self) -> bool:
        """Return whether exactly this version is installed, so that files can be run in it."""
        try:
            return version(self.runtime).startswith(f"{self.version}.")
        except PackageNotFoundError:
            return False

    def __str__(self) -> str:
        return f"{self.runtime}=={self.version}"


@dataclass(frozen=True)
class Requirements:
    """The requirements of a file.

    Attributes:
        operators: for TFLite, each builtin operator with its highest version; a custom operator has version 0.
        opset: for ONNX, the version of the default operator set; 0 for TFLite.
        ir_version: for ONNX, the version of the file format; 0 for TFLite.

    """

    operators: tuple[tuple[str, int], ...] = ()
    opset: int = 0
    ir_version: int = 0


def parse_floor(text: str) -> Floor:
    """Parse `runtime==version`. Raise ExportError for a runtime or version without a table in this package."""
    match = FLOOR.fullmatch(text)
    known = ["tflite-runtime==2.14", *(f"onnxruntime=={name}" for name in ONNXRUNTIME_SUPPORT)]
    if not match or f"{match['runtime']}=={match['version']}" not in known:
        raise ExportError(f"--min-runtime {text}: unknown; the known ones are {', '.join(known)}")
    return Floor(match["runtime"], match["version"])


def requirements(path: Path) -> Requirements:
    """Read the requirements of a .tflite or .onnx file. Raise ExportError for a file that cannot be parsed."""
    try:
        return _of_tflite(path) if path.suffix == ".tflite" else _of_onnx(path)
    except Exception as problem:  # noqa: BLE001 - flatbuffers raises struct.error and IndexError, protobuf its own
        raise ExportError(f"{path}: not a readable {path.suffix} file ({problem}); export it again") from None


def shortfalls(demanded: Requirements, floor: Floor) -> list[str]:
    """Return what a file requires beyond what the floor supports; an empty list if nothing."""
    if floor.runtime == "onnxruntime":
        opset, ir_version = ONNXRUNTIME_SUPPORT[floor.version]
        wanted = [("opset", demanded.opset, opset), ("IR version", demanded.ir_version, ir_version)]
        return [f"{what} {has} is newer than {floor}'s {most}" for what, has, most in wanted if has > most]
    found = []
    for name, needed in demanded.operators:
        supported = TFLITE_RUNTIME_OPERATORS.get(name, 0)
        if needed == 0:
            found.append(f"custom operator {name} is not in {floor}")
        elif needed > supported:
            has = f"has at most version {supported}" if supported else "has none"
            found.append(f"operator {name} version {needed}: {floor} {has}")
    return found


def _of_tflite(path: Path) -> Requirements:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAsModel(path.read_bytes(), 0)
    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
    versions: dict[str, int] = {}
    for index in range(model.OperatorCodesLength()):
        code = model.OperatorCodes(index)
        builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        custom = builtin == schema.BuiltinOperator.CUSTOM
        name = (code.CustomCode() or b"").decode() if custom else names[builtin]
        versions[name] = 0 if custom else max(versions.get(name, 1), code.Version())
    return Requirements(operators=tuple(sorted(versions.items())))


def _of_onnx(path: Path) -> Requirements:
    import onnx

    model = onnx.load(path, load_external_data=False)
    opset = next(entry.version for entry in model.opset_import if entry.domain in {"", "ai.onnx"})
    return Requirements(opset=opset, ir_version=model.ir_version)
