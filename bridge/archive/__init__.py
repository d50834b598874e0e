"""The archive: a backup in one file, what becomes of it again, and the data of one user for that user."""
