"""Write the benchmark page and its charts, and the tables of three other pages, from results/*.json.

    python benchmarks/page.py [--check]

The section of a missing result is omitted. `--check` writes nothing and exits with 1 if a page differs from the
results.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

import sections
from sections.markdown import wrap

ROOT = Path(__file__).resolve().parents[1]
RESULTS, PAGE, README = ROOT / "benchmarks" / "results", ROOT / "docs" / "benchmarks.md", ROOT / "README.md"
OWN_MODEL, PARITY = ROOT / "docs" / "own-model.md", ROOT / "docs" / "parity.md"
HEAD = """\
# Benchmarks

<!-- benchmarks/page.py writes this page from benchmarks/results/*.json; `make bench` writes those. -->

The scripts in `benchmarks/` measured everything on this page; `make bench` runs them all. The line below each table
describes the machine. Times differ between machines more than ratios do; `edge-run bench BUNDLE` measures a
bundle on your device.
"""


def read_results(folder: Path = RESULTS) -> dict[str, Any]:
    """Return every result, by its file's name without .json."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}


def page(results: dict[str, Any]) -> str:
    """Return the page's text."""
    parts = [section(results) for section in sections.SECTIONS]
    return wrap("\n".join([HEAD, *filter(None, parts)]))


def with_tables(text: str, results: dict[str, Any]) -> str:
    """Replace the text between the markers `<!-- NAME -->` and `<!-- /NAME -->` of each table whose result exists."""
    for name, section in sections.TABLES.items():
        table = wrap(section(results))
        between = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if table:
            text = between.sub(lambda found, table=table: f"{found[1]}{table}\n{found[2]}", text)
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file is out of date")
    args = parser.parse_args()
    results = read_results()
    texts = {path: with_tables(path.read_text(encoding="utf-8"), results) for path in (README, OWN_MODEL, PARITY)}
    texts[PAGE] = page(results)
    if args.check:
        stale = [path for path, text in texts.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
        for path in stale:
            print(f"{path}: differs from benchmarks/results; run python benchmarks/page.py", file=sys.stderr)
        return int(bool(stale))
    import charts

    for path in charts.draw(results, RESULTS):
        print(f"wrote {path.relative_to(ROOT)}")
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
