"""Confine the processes that open files of unknown origin: no network, no writing elsewhere, limits of memory."""
