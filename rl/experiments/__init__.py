"""Commands: train and resume (`run`), `eval`, `plot`."""
