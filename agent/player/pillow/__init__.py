"""The `pillow` player process: still and animated pictures, decoded by Pillow and resvg, drawn by itself."""
