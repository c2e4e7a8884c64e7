"""Cameras that are kept ready: connected, with all since their last key frame in memory, and decoded by nobody."""
