"""The RUN folder, written and read."""
