from __future__ import annotations

import subprocess
import sys

from edge_runtime.command_line.standard_output import results_stream


def test_what_libraries_write_to_standard_output_goes_to_standard_error():
    code = (
        "import os; from edge_runtime.command_line.standard_output import results_stream\n"
        "with results_stream() as results:\n"
        "    os.write(1, b'noise\\n'); results.write('result\\n'); results.flush()\n"
        "print('after')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("result\nafter\n", "noise\n")


def test_a_replaced_standard_output_is_used_as_it_is(capsys):
    with results_stream() as results:
        results.write("result\n")
    assert capsys.readouterr().out == "result\n"
