"""Sinks take what the live loop decides and tell it on."""
