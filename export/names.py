"""The names of every exported file's input and output."""

INPUT_NAME, OUTPUT_NAME = "image", "probabilities"
