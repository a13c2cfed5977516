"""Make the HTML page of `edge-train compare`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trainer.pages.page import picture, render_page

if TYPE_CHECKING:
    from trainer.runs.comparison import Comparison, Difference

MAX_PICTURES = 48  # of each kind
HEADINGS = {
    "better": "The new model is better",
    "worse": "The new model is worse",
    "no difference": "No difference beyond chance",
}


class Shown(NamedTuple):
    """A photograph that only one model decides correctly: its picture as a data: address, and the decisions."""

    picture: str
    difference: Difference


def render(found: Comparison) -> str:
    """Return the page."""
    gained = [one for one in found.differences if one.new == one.label]
    lost = [one for one in found.differences if one.old == one.label]
    return render_page(
        "comparison.html",
        old=found.old,
        new=found.new,
        paired=found.paired,
        p_value=min(found.paired.p_worse, found.paired.p_better),
        heading=HEADINGS[found.paired.verdict],
        familiar=found.familiar,
        left_out=found.left_out,
        galleries=[
            ("Correct only by the old model", "lost", len(lost), _shown(found, lost)),
            ("Correct only by the new model", "gained", len(gained), _shown(found, gained)),
        ],
    )


def _shown(found: Comparison, differences: list[Difference]) -> list[Shown]:
    return [Shown(picture(found.pixels[one.row]), one) for one in differences[:MAX_PICTURES]]
