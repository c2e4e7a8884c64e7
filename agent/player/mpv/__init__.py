"""The mpv engine: for RTSP wherever libVLC was built without it, which is everywhere on Debian."""
