"""Predict how long a device needs for an int8 TFLite file, from the times of small networks on it."""
