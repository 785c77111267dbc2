"""What the front door runs: flags, files, processes."""
