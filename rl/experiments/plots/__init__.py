"""What `plot` reads, estimates and draws."""
