"""Raspberry Pis without the hardware: their systems, their processors under qemu-user, a machine under qemu-system."""
