"""PyTorch's files of tensors: what they contain, and what is refused without running it."""

import os
import pickle
from contextlib import suppress

import numpy as np
import pytest
from torch_format import integer, tensor, tensors, text, torch_file

from trainer.errors import TrainingError
from trainer.networks.torch_file import read_tensors

ELEMENTS = np.arange(24, dtype="<f4")
STEPS = np.array([7], "<i8")
VALUES = {"weight": tensor("a", 24, (4, 2, 3), (1, 12, 4)), "steps": tensor("b", 1, (), (), storage="LongStorage")}
NESTED = b")" + b"q\x00h\x00\x86" * 60  # a tuple of the same tuple twice, 60 times: its hash takes 2^60 steps
WHOLE = torch_file(tensors(VALUES), {"a": ELEMENTS, "b": STEPS})


def one(opcodes):
    """Return a file with one tensor of the storage "a"."""
    return torch_file(tensors({"weight": opcodes}), {"a": ELEMENTS})


def test_tensors_are_views_of_their_storages():
    read = read_tensors(WHOLE)
    assert list(read) == ["weight", "steps"]
    np.testing.assert_array_equal(read["weight"], ELEMENTS.reshape(2, 3, 4).transpose(2, 0, 1))
    assert (read["weight"].dtype, read["steps"].dtype, int(read["steps"])) == (np.float32, np.int64, 7)
    second_half = read_tensors(one(tensor("a", 24, (3, 4), (4, 1), offset=12)))["weight"]
    np.testing.assert_array_equal(second_half, ELEMENTS[12:].reshape(3, 4))


@pytest.mark.parametrize(
    ("function", "argument"),
    [
        ("os\nsystem", "touch ran"),
        ("builtins\neval", "open('ran', 'w')"),
        ("torch.hub\nload", "x"),
        ("os\nmkdir", "ran"),
    ],
)
def test_a_function_that_a_file_names_is_not_run(tmp_path, monkeypatch, function, argument):
    monkeypatch.chdir(tmp_path)
    named = function.replace("\n", "[.]")
    call = f"c{function}\n".encode() + b"(" + text(argument) + b"tR"
    with pytest.raises(TrainingError, match=rf"contains '{named}', .* nothing of it was run"):
        read_tensors(one(call))
    assert not list(tmp_path.iterdir())
    pickle.loads(b"\x80\x02" + b"cos\nmkdir\n(" + text("ran") + b"tR.")  # the same opcodes are run by pickle itself
    assert (tmp_path / "ran").is_dir()


class Opens:
    """Pickle as a call of os.system."""

    def __reduce__(self):
        return os.system, ("touch ran",)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (one(tensor("a", 10**12, (24,), (1,))), "does not contain the 1000000000000 elements"),
        (one(tensor("a", -1, (24,), (1,))), "does not contain the -1 elements"),
        (one(tensor("a", 24, (25,), (1,))), "larger than its data"),
        (one(tensor("a", 24, (10**9,), (0,))), "larger than its data"),
        (one(tensor("a", 24, (2,), (2**62,))), "larger than its data"),
        (one(tensor("a", 24, (24,), (1,), offset=1)), "larger than its data"),
        (one(tensor("a", 24, (2,), (1,), offset=-2)), "larger than its data"),
        (one(tensor("a", 24, (-3,), (1,))), "larger than its data"),
        (one(tensor("a", 24, (3,), (-1,), offset=5)), "larger than its data"),
        (one(tensor("a", 24, (3, 2), (1,))), "an invalid tensor"),
        (one(tensor("c", 24, (24,), (1,))), "data without a tensor"),
        (one(tensor("a", 24, (24,), (1,), storage="ByteStorage")), r"contains 'torch\.ByteStorage'"),
        (one(integer(3)), "more than tensors with names; save only the state_dict"),
        (one(tensor("a", 24, (1,) * 9, (1,) * 9)), "an invalid tensor"),
        (torch_file(b"\x80\x02]q\xff.", {}), "more than tensors"),
        (torch_file(b"\x80\x02" + b"N" * 1_000_001 + b".", {}), "too many objects"),
        (torch_file(b"\x80\x02}" + NESTED + b"Ns.", {}), "keys are not texts"),
        (torch_file(b"\x80\x02(N" + NESTED + b"NNNNtQ.", {}), "an invalid tensor"),
        (torch_file(b"\x80\x02(NctorchNN", {}), "not a readable PyTorch file"),
        (torch_file(b"\x80\x02" + b"N0" * 9 + b".", {}), "opcode POP"),
        (torch_file(pickle.dumps(Opens(), 4), {}), "opcode FRAME"),
        (torch_file(tensors(VALUES), {"a": ELEMENTS, "b": STEPS}, machine={"little_endian": False}), "byte order"),
        (torch_file(tensors(VALUES), {"a": ELEMENTS, "b": STEPS}, machine={}), "not a readable PyTorch file"),
        (pickle.dumps(Opens(), 2), "contains 'posix.system'"),
        (pickle.dumps(3, 2), "is not a PyTorch file"),
        (b"PK\x03\x04 archive", "newer format; save it with _use_new_zipfile_serialization=False"),
        (b"no weights", "not a readable PyTorch file"),
        (b"", "not a readable PyTorch file"),
    ],
)
def test_what_is_not_a_file_of_tensors_is_refused(tmp_path, monkeypatch, content, reason):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TrainingError, match=reason):
        read_tensors(content)
    assert not list(tmp_path.iterdir())


def test_a_file_that_was_cut_anywhere_is_refused():
    for length in range(len(WHOLE)):
        with pytest.raises(TrainingError):
            read_tensors(WHOLE[:length])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of pickletools
def test_a_damaged_byte_never_ends_in_another_error():
    draws = np.random.default_rng(0)
    for _ in range(1000):
        damaged = bytearray(WHOLE)
        damaged[draws.integers(len(damaged))] = draws.integers(256)
        with suppress(TrainingError):
            read_tensors(bytes(damaged))
