"""Read what an export starts from: a RUN, a Keras model of others, an exported file."""
