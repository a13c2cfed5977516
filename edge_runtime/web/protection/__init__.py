"""Limit what clients can do: tokens, sessions, connections, request bodies and log lines."""
