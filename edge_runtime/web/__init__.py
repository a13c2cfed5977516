"""A page to look at, and an interface for programs, beside the live loop."""
