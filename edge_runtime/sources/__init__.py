"""Sources give the images to classify."""

from __future__ import annotations

from edge_runtime.sources.files import IMAGE_EXTENSIONS, image_files

__all__ = ["IMAGE_EXTENSIONS", "image_files"]
