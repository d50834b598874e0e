"""What is served over HTTP: health and metrics, to the networks that may see them.

Its library is large and most installations have no `http.listen`, so this room is imported only where there is one.
"""
