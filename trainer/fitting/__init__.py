"""Train a model: phases, epochs, checkpoints, devices."""
