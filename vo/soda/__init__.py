"""Server-side Operations for Data Access 1.0 (REC, 2017-05-17): parts of images."""
