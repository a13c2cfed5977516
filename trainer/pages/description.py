"""Make the HTML page of `edge-train describe --out`, which shows the pictures of all layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainer.pages.page import render_page

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from trainer.description.pictures import Drawn
    from trainer.description.summary import Description

INDEX = "index.html"


def render(
    described: Description, path: Path, *, filters: Sequence[Drawn], features: Sequence[Drawn], image: Path | None
) -> str:
    """Return the page.

    Args:
        described: the model.
        path: its RUN or file.
        filters: the pictures of its filters, in the folder `filters` next to the page.
        features: the pictures of its feature maps, in the folder `features`.
        image: the image for which they were computed.

    """
    return render_page(
        "description.html",
        name=described.name,
        shown_path=path,
        layers=len(described.rows),
        parameters=described.parameters,
        multiply_adds=described.multiply_adds,
        peak_int8_bytes=described.peak.memory,
        peak_layer=described.peak.name,
        filters=filters,
        features=features,
        image=image,
    )
