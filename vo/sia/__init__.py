"""Simple Image Access 2.0 (REC, 2015-12-23): images found in ivoa.obscore."""
