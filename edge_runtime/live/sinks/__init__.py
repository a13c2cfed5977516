"""Sinks send predictions and events to their receivers, and never slow the camera."""
