"""`make bench-central`: the central API under load, on both databases."""
