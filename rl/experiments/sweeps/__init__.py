"""Sweeps: methods times seeds, each run in a process of its own, as one command that goes on."""
