"""What the three commands share: typed options, exit codes, number parsers, progress bars, signals."""
