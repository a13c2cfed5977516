"""Install a signed release on this device: fetch it, prove it here, switch to it. Needs the extra update."""
