"""Published shops of others, set up for the bench. Their packages are installed by name when asked for."""
