"""What a device must be able to do without: each test runs in a fresh process."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

WORKSTATION = ("tensorflow", "keras", "onnx", "tf2onnx", "matplotlib", "sklearn", "pandas", "h5py", "trainer", "export")
# An entry of None makes a module look as if it were not installed, to `import` and to `find_spec`.
BLOCK = "import sys; sys.modules.update(dict.fromkeys(BLOCKED))"


def python(code, *arguments, blocked=()):
    """Run code in a fresh interpreter with some modules missing; give its stdout."""
    program = f"BLOCKED = {tuple(blocked)!r}\n{BLOCK}\n{textwrap.dedent(code)}"
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def top_level_imports(code):
    """Give the top-level modules beyond the standard library that code loads."""
    # Cython puts modules that no import made, and so without a spec, into sys.modules.
    names = (
        "print(*{name.partition('.')[0] for name, module in sys.modules.items() if getattr(module, '__spec__', None)})"
    )
    loaded, bare = python(f"{code}\n{names}").split(), python(names).split()
    return set(loaded) - set(bare) - set(sys.stdlib_module_names)


def test_importing_the_runtime_loads_nothing_but_itself():
    assert top_level_imports("import edge_runtime") == {"edge_runtime"}


def test_every_public_name_needs_the_standard_library_numpy_and_pillow_alone():
    found = top_level_imports("import edge_runtime\nfor name in edge_runtime.__all__: getattr(edge_runtime, name)")
    assert found == {"edge_runtime", "numpy", "PIL"}


def test_every_public_name_is_there_and_no_other():
    python(
        """
        import edge_runtime
        assert sorted(edge_runtime.__all__) == sorted(edge_runtime._MODULES)
        try:
            edge_runtime.Nonsense
        except AttributeError:
            pass
        else:
            raise SystemExit("an unknown name was given")
        """
    )


def test_no_public_name_is_a_modules_too():
    """Once the module was imported, the import system would put it in the place of what `__getattr__` gives."""
    python(
        """
        from importlib.util import find_spec
        import edge_runtime
        assert not [name for name in edge_runtime.__all__ if find_spec(f"edge_runtime.{name}")]
        """
    )


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["classify", "--help"], ["classify"], ["serve", "--help"], ["bench"]]
)
def test_help_and_usage_errors_load_neither_numpy_nor_pillow(arguments):
    code = f"""
        import contextlib, io
        from edge_runtime.cli import main
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            main({arguments!r})
        assert not {{"numpy", "PIL"}} & set(sys.modules)
    """
    python(code)


def test_the_runtime_works_where_the_workstations_libraries_are_missing(bundle, photo):
    code = """
        from edge_runtime import Classifier
        print(Classifier.open(sys.argv[1]).classify(sys.argv[2]).label)
    """
    assert python(code, bundle, photo(), blocked=WORKSTATION) == "red\n"


@pytest.mark.parametrize("missing", [("ai_edge_litert",), ("ai_edge_litert", "tflite_runtime")])
def test_without_litert_another_runtime_serves(bundle, photo, missing):
    code = """
        from edge_runtime import Classifier
        print(Classifier.open(sys.argv[1]).classify(sys.argv[2]).label)
    """
    assert python(code, bundle, photo(), blocked=(*WORKSTATION, *missing)) == "red\n"


def test_without_any_runtime_the_command_says_what_to_install(bundle, photo):
    code = """
        import contextlib, io
        from edge_runtime.cli import main
        with contextlib.redirect_stderr(io.StringIO()) as err:
            assert main(["classify", *sys.argv[1:]]) == 1
        print(err.getvalue(), end="")
    """
    told = python(code, bundle, photo(), blocked=(*WORKSTATION, "ai_edge_litert", "tflite_runtime", "onnxruntime"))
    assert told == "edge-run: backend litert is not installed; install it with: pip install 'edgewise[pi]'\n"
