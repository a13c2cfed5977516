"""Describe a Keras model's layers: sizes, parameters, multiply-adds, memory, pictures."""
