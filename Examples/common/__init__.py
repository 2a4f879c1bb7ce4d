"""What the demos have in common. A demo puts `Examples/` into its path to find it."""
