"""The Chromium player: web pages, in a window of the stage."""
