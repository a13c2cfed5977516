"""Find problems of a device and print their fixes. Uses the standard library only, so it works without the others."""
