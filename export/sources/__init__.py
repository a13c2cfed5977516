"""Read what an export starts from: a RUN, another Keras model, or an exported file."""
