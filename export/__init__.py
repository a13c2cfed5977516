"""Export a trained classifier to TFLite and ONNX, prove each file on real images, publish them as a bundle."""
