"""What the survey covers: by tile, and on the HEALPix grid."""
