"""Bring a signed release to this device: fetch it, prove it here, make it the current model. Needs the extra update."""
