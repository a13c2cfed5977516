"""Emulated Raspberry Pis: their systems, their processors with qemu-user, and a machine with qemu-system."""
