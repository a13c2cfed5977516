"""Read a pickle that describes tensors, without running anything that it names.

Python's own unpickler calls functions of the file's choice. This one has no functions to call: it knows the opcodes and
the four names that PyTorch's dictionaries of tensors need, and refuses all others. Time and memory grow with the number
of opcodes, because only texts are keys.
"""

from __future__ import annotations

import pickletools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trainer.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import BytesIO

MOST_OPCODES = 1_000_000
MOST_AXES = 8
DICTIONARY, TENSOR = "collections OrderedDict", "torch._utils _rebuild_tensor_v2"
DTYPES: dict[str, np.dtype[Any]] = {"torch FloatStorage": np.dtype("<f4"), "torch LongStorage": np.dtype("<i8")}

VALUES = {"LONG1", "BININT", "BININT1", "BININT2", "BINUNICODE"}
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
EMPTY: dict[str, Callable[[], object]] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class Storage(NamedTuple):
    """Elements in a file; tensors are views of them."""

    dtype: np.dtype[Any]
    key: str
    elements: int


class View(NamedTuple):
    """The part of a storage that is a tensor; offset and strides count elements, not bytes."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_pickle(stream: BytesIO) -> Any:  # noqa: ANN401 - what the file contains
    """Return the next pickle of a file: numbers, texts, tuples, lists, dictionaries and Views.

    Raises:
        TrainingError: it contains anything else.
        ValueError, TypeError, IndexError, KeyError: it is damaged.

    """
    machine = _Machine()
    for number, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
        if number > MOST_OPCODES:
            raise TrainingError("contains too many objects")
        machine.run(opcode.name, argument)
    return machine.stack.pop()


class _Machine:
    """A stack, the stacks below its marks, and the values that are used again."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def run(self, opcode: str, argument: Any) -> None:  # noqa: ANN401 - what the file contains
        """Execute an opcode. Raise TrainingError for one that tensors do not need."""
        if opcode in VALUES:
            self.stack.append(argument)
        elif opcode in CONSTANTS:
            self.stack.append(CONSTANTS[opcode])
        elif opcode in EMPTY:
            self.stack.append(EMPTY[opcode]())
        elif opcode in TUPLES:
            self.stack[-TUPLES[opcode] :] = [tuple(self.stack[-TUPLES[opcode] :])]
        elif opcode in OPCODES:
            OPCODES[opcode](self, argument)
        elif opcode not in {"PROTO", "STOP"}:
            raise TrainingError(f"contains the pickle opcode {opcode}, which tensors do not need")

    def mark(self, _: None) -> None:
        self.below.append(self.stack)
        self.stack = []

    def since_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.below.pop()
        return items

    def make_tuple(self, _: None) -> None:
        items = self.since_mark()
        self.stack.append(tuple(items))

    def append(self, _: None) -> None:
        item = self.stack.pop()
        self.stack[-1].append(item)

    def extend(self, _: None) -> None:
        items = self.since_mark()
        self.stack[-1].extend(items)

    def set_items(self, _: None) -> None:
        items = self.since_mark()
        for key, value in zip(items[::2], items[1::2], strict=True):
            self._set(key, value)

    def set_item(self, _: None) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set(key, value)

    def _set(self, key: object, value: object) -> None:
        if not isinstance(key, str) or not isinstance(self.stack[-1], dict):
            raise TrainingError("contains a dictionary whose keys are not texts")
        self.stack[-1][key] = value

    def put(self, number: int) -> None:
        self.memo[number] = self.stack[-1]

    def get(self, number: int) -> None:
        self.stack.append(self.memo[number])

    def name(self, name: str) -> None:
        """Push one of the four names. Raise TrainingError for another one."""
        if name not in {DICTIONARY, TENSOR, *DTYPES}:
            shown = name.replace(" ", ".")[:80]
            raise TrainingError(f"contains {shown!r}, which is not a tensor; nothing of it was run")
        self.stack.append(name)

    def make(self, _: None) -> None:
        """Push a dictionary or a tensor, which the file would get from a call."""
        arguments, name = self.stack.pop(), self.stack.pop()
        if name == DICTIONARY and len(arguments) == 0:
            self.stack.append({})
        elif name == TENSOR:
            self.stack.append(_tensor(*arguments[:4]))
        else:
            raise TrainingError("contains more than tensors")

    def ignore_attributes(self, _: None) -> None:
        self.stack.pop()

    def make_storage(self, _: None) -> None:
        """Push a storage, to which the file refers from outside of the pickle."""
        _kind, name, key, _device, elements, _view = self.stack.pop()
        if not (isinstance(name, str) and isinstance(key, str) and isinstance(elements, int)):
            raise TrainingError("contains an invalid tensor")
        self.stack.append(Storage(DTYPES[name], key, elements))


def _tensor(storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> View:
    valid = isinstance(storage, Storage) and 0 <= len(shape) == len(strides) <= MOST_AXES
    if not valid or not all(isinstance(number, int) for number in (offset, *shape, *strides)):
        raise TrainingError("contains an invalid tensor")
    return View(storage, offset, tuple(shape), tuple(strides))


OPCODES: dict[str, Callable[[_Machine, Any], None]] = {
    "MARK": _Machine.mark,
    "TUPLE": _Machine.make_tuple,
    "APPEND": _Machine.append,
    "APPENDS": _Machine.extend,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_items,
    "BINPUT": _Machine.put,
    "LONG_BINPUT": _Machine.put,
    "BINGET": _Machine.get,
    "LONG_BINGET": _Machine.get,
    "GLOBAL": _Machine.name,
    "REDUCE": _Machine.make,
    "BUILD": _Machine.ignore_attributes,
    "BINPERSID": _Machine.make_storage,
}
