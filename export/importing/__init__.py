"""Read a Keras model or a SavedModel of unknown origin in a confined process, as a graph of plain operations."""
