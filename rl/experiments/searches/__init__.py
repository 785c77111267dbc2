"""Searches: configurations that a strategy chooses, each trained with every seed, on Optuna."""
