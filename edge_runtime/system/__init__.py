"""The device's operating system: processor state, installed versions, systemd."""
