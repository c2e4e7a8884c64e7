"""`python -m bench`: how quick, how black and how large the agent is, beside vlc and mpv on the same machine."""
