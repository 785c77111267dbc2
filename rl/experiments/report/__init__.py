"""What `report` reads, computes and writes: one page about runs, which needs no other file."""
