"""What the workstation handed over: the model's spec and the bundle that contains it."""
