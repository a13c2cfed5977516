"""Sources yield the frames to classify: image files, videos, cameras, network streams."""
