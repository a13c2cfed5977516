"""Refuse graphs whose operations reach outside of the graph: files, Python, other machines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from export.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

# Names of TensorFlow's operations, by what they do.
REFUSED = {
    "reads or writes files": re.compile(
        r"(Read|Write)File|MatchingFiles|ImmutableConst|LoadAndRemapMatrix|GenerateVocabRemapping|InitializeTableFrom.*"
        r"|.*Save.*|.*Restore.*|MergeV2Checkpoints|CheckpointExists|PrintV2|FileSystem.*|.*Dataset(V\d)?|.*ToTFRecord"
        r"|.*Proto(V2)?|.*Reader.*|.*Summary.*|.*Event.*|.*Debug.*|DumpTensor|RecordInput|FixedUnigramCandidateSampler"
    ),
    "runs code": re.compile(r".*PyFunc.*|Xla.*|TRTEngine.*|RemoteCall|Abort"),
    "uses the network or another device": re.compile(
        r"(Try)?Rpc.*|.*TPU.*|.*Collective.*|_?(Host|Xla)?(Send|Recv).*|Nccl.*|.*(In|Out)feed.*"
    ),
}


def refuse_operations(operations: Iterable[str], path: Path) -> None:
    """Raise ExportError if an operation reaches outside of the graph.

    Args:
        operations: names of TensorFlow's operations.
        path: the model, for the message.

    """
    for name in operations:
        reason = next((reason for reason, pattern in REFUSED.items() if pattern.fullmatch(name)), None)
        if reason:
            raise ExportError(
                f"{path}: refused, because it contains the operation {name}, which {reason}; "
                "a classifier needs only computations: export it without it"
            )


def operations_of(graph: Any) -> Iterator[str]:  # noqa: ANN401 - a protobuf
    """Yield the name of each operation of a GraphDef and of its functions."""
    yield from (node.op for node in graph.node)
    yield from (node.op for function in graph.library.function for node in function.node_def)


def operations_of_saved_model(path: Path) -> Iterator[str]:
    """Yield the name of each operation of a SavedModel that can run, without those that only save and restore it.

    Every SavedModel contains functions with file operations that save and restore its variables; TensorFlow restores
    them without these functions. Raise ExportError if the file is damaged.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    try:
        saved = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    except (OSError, DecodeError) as problem:
        raise ExportError(f"{path}: not a SavedModel that TensorFlow can read: {problem}") from None
    for meta in saved.meta_graphs:
        yield from _without_the_saver(meta)


def _without_the_saver(meta: Any) -> Iterator[str]:  # noqa: ANN401 - a protobuf
    """Yield the operations except those that only the saver needs, whose entry points `saver_def` names."""
    nodes = {node.name: node for node in meta.graph_def.node}
    ends = {end.split(":")[0] for end in (meta.saver_def.save_tensor_name, meta.saver_def.restore_op_name)}
    saving = _needed(ends, nodes)
    signed = {
        output.name.split(":")[0] for signature in meta.signature_def.values() for output in signature.outputs.values()
    }
    saving -= _needed(signed, nodes) | _needed(nodes.keys() - saving, nodes)
    others = [node for name, node in nodes.items() if name not in saving]
    called_by_saver = {name for end in saving for name in _called(nodes[end])}
    functions = meta.graph_def.library.function
    called = {name for node in others for name in _called(node)} | set(meta.object_graph_def.concrete_functions)
    called |= {name for function in functions for node in function.node_def for name in _called(node)}
    yield from (node.op for node in others)
    for function in functions:
        if function.signature.name in called or function.signature.name not in called_by_saver:
            yield from (node.op for node in function.node_def)


def _needed(ends: Iterable[str], nodes: dict[str, Any]) -> set[str]:
    """Return the names of the nodes that these nodes need."""
    found: set[str] = set()
    waiting = [name for name in ends if name in nodes]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            inputs = (item.lstrip("^").split(":")[0] for item in nodes[name].input)
            waiting += [item for item in inputs if item in nodes]
    return found


def _called(node: Any) -> set[str]:  # noqa: ANN401 - a protobuf
    """Return the names of the functions that a node calls."""
    single = {value.func.name for value in node.attr.values() if value.HasField("func")}
    return single | {function.name for value in node.attr.values() for function in value.list.func} | {node.op}
