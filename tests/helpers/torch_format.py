"""Write files in the format of `torch.save` before version 1.6, without PyTorch and opcode by opcode."""

import pickle
import struct

MAGIC = 0x1950A86A20F9469CFC6C
MACHINE = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}


def text(value):
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def integer(value):
    content = value.to_bytes(16, "little", signed=True)
    return b"\x8a" + bytes([len(content)]) + content


def integers(values):
    return b"(" + b"".join(map(integer, values)) + b"t"


def tensor(key, count, shape, strides, *, offset=0, storage="FloatStorage"):
    """Return the opcodes of a tensor that is a view of the storage with this key."""
    persistent = b"(" + text("storage") + f"ctorch\n{storage}\n".encode() + text(key) + text("cpu") + integer(count)
    view = integer(offset) + integers(shape) + integers(strides) + b"\x89" + b"ccollections\nOrderedDict\n)R"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + persistent + b"Nt" + b"Q" + view + b"tR"


def tensors(values):
    """Return the pickle of an OrderedDict of opcodes by their names, with an attribute, as a module writes it."""
    items = b"".join(text(name) + opcodes for name, opcodes in values.items())
    return b"\x80\x02ccollections\nOrderedDict\n)R(" + items + b"u}" + text("_metadata") + b"}sb."


def torch_file(pickled, storages, *, machine=MACHINE):
    """Return a file of a pickled object and of storages, arrays by their keys."""
    head = b"".join(pickle.dumps(part, 2) for part in (MAGIC, 1001, machine))
    raw = b"".join(struct.pack("<q", array.size) + array.tobytes() for array in storages.values())
    return head + pickled + pickle.dumps(list(storages), 2) + raw
