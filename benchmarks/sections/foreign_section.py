"""The table of foreign model files in own-model.md."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from .markdown import machine_line, table

if TYPE_CHECKING:
    from .markdown import Results

HEAD = ("file", "from", "options", "published", "agreement", "largest difference", "classes seen")


def foreign_table(results: Results) -> str:
    """Compare the bundles of foreign files with a bare loop."""
    result = results.get("foreign")
    if not result:
        return ""
    files = result["files"]
    compared = [row for row in files if "agreement" in row]
    agreeing = sum(row["agreement"] == 1 for row in compared)
    summary = (
        f"{len(compared)} of {len(files)} files were published and compared; the top class agrees on all photographs "
        f"for {agreeing} of them. Each was run on {result['photographs']} photographs of cats and dogs. The largest "
        "difference is that of any probability. The classes seen are the top classes of the bare loop."
    )
    parts = [table(HEAD, [_row(row) for row in files]), " ".join([summary, *map(_near_ties, compared)]).strip()]
    return "\n\n".join([*parts, machine_line(result)]).rstrip()


def _near_ties(row: dict[str, Any]) -> str:
    """Say how near to each other the two best classes are for the bare loop where the bundle decides otherwise."""
    if not row.get("margins"):
        return ""
    name, count = PurePosixPath(row["file"]).name, len(row["margins"])
    return (
        f"Where `{name}` differs ({count} of {row['photographs']} photographs), the bare loop prefers its class to the "
        f"next one by at most {max(row['margins']):.2g}."
    )


def _row(row: dict[str, Any]) -> list[str]:
    known = [f"`{PurePosixPath(row['file']).name}`", row["origin"], f"`{' '.join(row['options'])}`".replace("``", "-")]
    if "agreement" not in row:
        return [*known, _failure(row), "-", "-", "-"]
    # Never rounded up to 100%.
    agreement = "100%" if row["agreement"] == 1 else f"**{min(row['agreement'], 0.999):.1%}**"
    return [*known, row["published"], agreement, f"{row['largest_difference']:.2g}", str(row["classes_seen"])]


def _failure(row: dict[str, Any]) -> str:
    if row.get("not_available"):
        return "not available"
    text = row.get("refusal") or row["bare_failure"]
    cause = "refused" if "refusal" in row else "bare loop failed"
    return f"{cause}: {text.removeprefix('error: ')}".replace("|", r"\|")
