"""Write the benchmark page and its charts, and the tables of README.md, from results/*.json.

    python benchmarks/page.py [--check]

A result that is not there leaves its section out. `--check` writes nothing and fails where the page is not what the
results say.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

import sections

ROOT = Path(__file__).resolve().parents[1]
RESULTS, PAGE, README = ROOT / "benchmarks" / "results", ROOT / "docs" / "benchmarks.md", ROOT / "README.md"
HEAD = """\
# Benchmarks

<!-- benchmarks/page.py writes this page from benchmarks/results/*.json; `make bench` writes those. -->

Everything here was measured by a script in `benchmarks/`, on the machine that its table names, and anyone can measure
it again: `make bench`. The scripts' first lines say what they do. Ratios travel between machines, milliseconds do not:
measure your own device with `edge-run bench BUNDLE`.
"""


def read_results(folder: Path = RESULTS) -> dict[str, Any]:
    """Give every result by its file's name."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}


def page(results: dict[str, Any]) -> str:
    """Give the page's text."""
    parts = [made for make in sections.SECTIONS if (made := make(results))]
    return "\n".join([HEAD, *parts])


def with_tables(text: str, results: dict[str, Any]) -> str:
    """Put each table between its markers, `<!-- accuracy -->` and `<!-- /accuracy -->`; others stay as they are."""
    for name, make in sections.README_TABLES.items():
        table = make(results)
        between = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if table:
            text = between.sub(lambda found, table=table: f"{found[1]}{table}\n{found[2]}", text)
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    results = read_results()
    readme = README.read_text(encoding="utf-8")
    wanted = {PAGE: page(results), README: with_tables(readme, results)}
    if args.check:
        stale = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
        for path in stale:
            print(f"{path}: is not what results/*.json say; run python benchmarks/page.py", file=sys.stderr)
        return int(bool(stale))
    import charts

    for path in charts.draw(results, RESULTS):
        print(f"wrote {path.relative_to(ROOT)}")
    for path, text in wanted.items():
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
