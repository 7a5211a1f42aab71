"""Simple Image Access 1.0 (REC, 2009-11-11), which older clients speak: images found in ivoa.obscore."""
