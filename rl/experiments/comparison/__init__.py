"""What `compare` reads, computes and writes."""
