"""The central stream API: what boxes report to, and what publishers are checked against."""
