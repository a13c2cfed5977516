"""Convert a Keras model to TFLite and ONNX files."""
