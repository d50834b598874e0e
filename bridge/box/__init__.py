"""A user's box as one unit of work: what is loaded of it, what comes, what is to be written. Any database can serve."""
