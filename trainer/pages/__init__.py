"""HTML pages that show data and results."""
