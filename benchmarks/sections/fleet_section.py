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


def update_kills(results: Results) -> str:
    """Return the section on updates that are killed."""
    found = results.get("update_kills") or {}
    if not found:
        return ""
    phases = ", ".join(f"{count} in the phase *{name}*" for name, count in sorted(found["phases"].items()))
    return f"""## Updates that are killed

`edge-run update` was killed {found["kills"]} times with SIGKILL, each time after a random part of a whole update
({number(found["whole_s"], ".1f")} s), while `edge-run watch` ran the current model: {phases}. After
{len(found["wrong"])} of them the current model was not one whole version that passes its self-test. {found["releases"]}
releases were published. The models folder never had more than {found["most_files"]} files with
{found["most_bytes"] / 1e6:.1f} MB, and {found["files_at_the_end"]} files with {found["bytes_at_the_end"] / 1e6:.1f} MB
at the end, in {found["versions_at_the_end"]} versions.

{machine_line(found)}"""
