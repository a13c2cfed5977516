"""Classify photographs with numpy, Pillow and LiteRT only, as the lower bound of the costs.

python benchmarks/bare.py MODEL.tflite THREADS PHOTO...
"""

import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

interpreter = Interpreter(model_path=sys.argv[1], num_threads=int(sys.argv[2]))
interpreter.allocate_tensors()
detail = interpreter.get_input_details()[0]
output = interpreter.get_output_details()[0]["index"]
_, height, width, _ = detail["shape"]
for path in sys.argv[3:]:
    with Image.open(path) as image:
        image.draft("RGB", (int(width), int(height)))
        pixels = np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR))[None]
    if detail["dtype"] == np.int8:
        pixels = (pixels ^ np.uint8(0x80)).view(np.int8)
    interpreter.set_tensor(detail["index"], pixels.astype(detail["dtype"], copy=False))
    interpreter.invoke()
    print(interpreter.get_tensor(output)[0].argmax())
