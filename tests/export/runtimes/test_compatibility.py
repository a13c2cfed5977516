import subprocess
import sys

import pytest

from export.errors import ExportError
from export.runtimes.compatibility import Floor, Requirements, parse_floor, requirements, shortfalls
from export.runtimes.tables import TFLITE_RUNTIME_OPERATORS

TFLITE, ONNX = Floor("tflite-runtime", "2.14"), Floor("onnxruntime", "1.19")

LOAD = """
import sys
from tflite_runtime.interpreter import Interpreter
for path in sys.argv[1:]:
    try:
        Interpreter(path)
        print("loaded")
    except ValueError:
        print("refused")
"""


def naming_one_operator(name: str, version: int) -> bytes:
    """Write a TFLite file that names an operator in a version, and uses none."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    code = schema.OperatorCodeT()
    code.builtinCode = getattr(schema.BuiltinOperator, name)
    code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), version
    tensor = schema.TensorT()
    tensor.shape, tensor.name = [1], b"a"
    graph = schema.SubGraphT()
    graph.tensors, graph.inputs, graph.outputs, graph.operators = [tensor], [0], [0], []
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [schema.BufferT()]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def test_the_operator_table_is_what_the_runtime_resolves(tmp_path):
    pytest.importorskip("tflite_runtime", reason="has wheels up to CPython 3.11 only")
    paths = []
    for name, highest in TFLITE_RUNTIME_OPERATORS.items():
        for version in (highest, highest + 1):
            paths.append(tmp_path / f"{name}.{version}.tflite")
            paths[-1].write_bytes(naming_one_operator(name, version))
    done = subprocess.run([sys.executable, "-c", LOAD, *paths], capture_output=True, text=True, check=True)
    found = done.stdout.split()
    wrong = [path.name for at, path in enumerate(paths) if found[at] != ("loaded", "refused")[at % 2]]
    assert wrong == []


def test_every_exported_file_fits_the_default_floors(tiny_bundle):
    for path in tiny_bundle.glob("model.*"):
        floor = TFLITE if path.suffix == ".tflite" else ONNX
        assert shortfalls(requirements(path), floor) == []


def test_a_file_names_its_operators_and_versions(tiny_bundle):
    operators = dict(requirements(tiny_bundle / "model.float32.tflite").operators)
    assert operators["CONV_2D"] >= 1
    assert requirements(tiny_bundle / "model.float32.onnx") == Requirements(opset=17, ir_version=8)


def test_a_newer_operator_is_a_shortfall_that_names_it():
    demanded = Requirements(operators=(("FULLY_CONNECTED", 12), ("CONV_2D", 5), ("STABLEHLO_ADD", 1), ("Mine", 0)))
    reasons = shortfalls(demanded, TFLITE)
    assert reasons[0] == "operator FULLY_CONNECTED version 12: tflite-runtime==2.14 has at most version 10"
    assert reasons[1] == "operator STABLEHLO_ADD version 1: tflite-runtime==2.14 has none"
    assert reasons[2] == "custom operator Mine is not in tflite-runtime==2.14"


def test_a_newer_opset_or_ir_version_is_a_shortfall():
    assert shortfalls(Requirements(opset=22, ir_version=11), ONNX) == [
        "opset 22 is newer than onnxruntime==1.19's 21",
        "IR version 11 is newer than onnxruntime==1.19's 10",
    ]
    assert shortfalls(Requirements(opset=21, ir_version=10), ONNX) == []


def test_an_unknown_floor_is_an_error_that_names_the_known_ones():
    with pytest.raises(ExportError, match=r"unknown; the known ones are tflite-runtime==2.14, onnxruntime==1.14"):
        parse_floor("tflite-runtime==2.5")
    assert str(parse_floor("onnxruntime==1.19.2")) == "onnxruntime==1.19"


def test_a_damaged_file_is_one_clear_error(tmp_path):
    path = tmp_path / "model.int8.onnx"
    path.write_bytes(b"\xff" * 40)
    with pytest.raises(ExportError, match=r"model.int8.onnx: not a readable .onnx file"):
        requirements(path)
