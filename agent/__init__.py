"""cast-agent: puts a stream on the screen when home automation asks, and takes it off again."""

__version__ = "0.1.0"
