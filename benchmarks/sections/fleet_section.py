"""The section about a fleet of devices."""

from __future__ import annotations

from .markdown import Results, machine_line, number, table


def fleet(results: Results) -> str:
    found = results.get("fleet") or {}
    if not found:
        return ""
    rows = [
        (
            f"{row['devices']:,}",
            number(row["updated_s"], ".1f"),
            number(row["reported_s"], ".1f"),
            number(row["bytes_per_device"] / 1e3, ",.0f"),
            number(row["second_bytes_per_device"] / 1e3, ".1f"),
            f"{row['rollout_share']:.1%}",
            number(row["collect_s"], ".1f"),
            number(row["page_s"] * 1e3, ".0f"),
            number(row["page_bytes"] / 1e3, ",.0f"),
        )
        for row in found["rows"]
    ]
    headings = (
        "devices",
        "all have it, s",
        "all have reported, s",
        "kB per device",
        "kB per device, equal files",
        "reached by 10%",
        "reading the reports, s",
        "page, ms",
        "page, kB",
    )
    return f"""## Updates and reports of a fleet

Simulated devices run the code of `edge-run update`, without the proof on the device, and that of
`edge-run watch --mqtt` on this machine, which also serves the files and runs the broker. The bundle has
{found["bundle_bytes"] / 1e3:,.0f} kB. Then a second release with the same files is rolled out to 10% of the devices.

{table(headings, rows)}

{machine_line(found)}"""
