"""What mpv and ready cameras, which use FFmpeg, have in common: its errors, and a relay for RTSP."""
