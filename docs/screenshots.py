"""Take the screenshots of README.md: the live page of edge-run serve, and the headline of an export's report.

python docs/screenshots.py BUNDLE IMAGES

IMAGES is a folder that the simulated camera plays, such as the one that `edge-train shapes` draws. Chromium and
chromedriver must be installed. Writes docs/images/overview.png.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "helpers"))

if TYPE_CHECKING:
    from collections.abc import Iterator

OVERVIEW = ROOT / "docs" / "images" / "overview.png"
SETTLE_S = 6.0  # until rates and latencies are shown
GAP, HEIGHT = 24, 860


def main(bundle: str, images: str) -> int:
    """Take both screenshots and write them side by side."""
    from chromium import browsers

    report = Path(bundle, "report.html").resolve().as_uri()
    with (
        tempfile.TemporaryDirectory() as folder,
        browsers(_free_port()) as open_browser,
        _server(bundle, images) as url,
    ):
        browser = open_browser()
        browser.open(url)
        time.sleep(SETTLE_S)
        browser.screenshot(Path(folder, "live.png"))
        browser.open(report)
        browser.screenshot(Path(folder, "report.png"))
        _write_overview(Path(folder, "live.png"), Path(folder, "report.png"))
    print(OVERVIEW)
    return 0


def _write_overview(live: Path, report: Path) -> None:
    """Join the upper parts of both pictures."""
    parts = [Image.open(path).convert("RGB") for path in (live, report)]
    parts = [part.crop((0, 0, part.width, min(part.height, HEIGHT))) for part in parts]
    joined = Image.new("RGB", (sum(part.width for part in parts) + GAP, max(part.height for part in parts)), "white")
    left = 0
    for part in parts:
        joined.paste(part, (left, 0))
        left += part.width + GAP
    OVERVIEW.parent.mkdir(exist_ok=True)
    joined.resize((joined.width // 2, joined.height // 2), Image.Resampling.LANCZOS).quantize(128).save(
        OVERVIEW, optimize=True
    )


@contextmanager
def _server(bundle: str, images: str) -> Iterator[str]:
    """Run edge-run serve on a free port and yield its address."""
    port = _free_port()
    source = f"simulated:{images}?fps=3&size=640x480"
    command = [sys.executable, "-m", "edge_runtime.cli", "serve", bundle, "--source", source, "--port", str(port)]
    process = subprocess.Popen([*command, "--title", "Shapes"], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        for line in process.stderr or ():
            if "serving on" in line:
                break
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
