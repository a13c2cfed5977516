"""Train an image classifier from folders of photographs: `edge-train`."""
