"""DataLink 1.1: what there is of an image, and the image itself."""
