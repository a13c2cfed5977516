"""Sinks take predictions and events to where somebody wants them; none ever slows the camera."""
