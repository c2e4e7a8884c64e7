"""The `vlc` engine: a player process around libVLC."""
