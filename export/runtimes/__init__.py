"""Run a file in each runtime of a device, in a process of its own, and know what older runtimes can run."""
