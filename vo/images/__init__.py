"""Images: what there is, where it lies, and the pixels in it."""
