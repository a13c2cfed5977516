"""Files that others exported: read their ends, and edit their graphs."""
