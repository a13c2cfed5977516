"""docs/latency.md documents every key of the file of edge-run bench --operators."""

from __future__ import annotations

import re

from manual import ROOT

from edge_runtime.latency.operator_times import KEYS, NETWORK_KEYS
from edge_runtime.latency.probes import probes

PAGE = (ROOT / "docs" / "latency.md").read_text(encoding="utf-8")


def test_exactly_the_keys_of_the_file_are_documented():
    first_cells = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")]
    assert {key for cell in first_cells for key in re.findall(r"`(\w+)`", cell)} == {*KEYS, *NETWORK_KEYS}


def test_the_page_says_how_many_networks_are_measured():
    assert re.findall(r"measures (\d+) small networks", PAGE) == [str(len(probes()))]
