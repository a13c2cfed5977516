"""Run an artifact: uint8 pixels in, float32 class probabilities out."""
