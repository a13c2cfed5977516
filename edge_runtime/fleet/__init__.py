"""Show the devices of a fleet from what they publish over MQTT."""
