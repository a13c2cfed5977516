"""Search for the smallest network that classifies a data folder well enough, within the limits of a device."""
