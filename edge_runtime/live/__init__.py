"""The live loop: from a source's frames to predictions and events."""
