"""One builder for each room, which makes its parts, starts nothing, and keeps what others need."""
