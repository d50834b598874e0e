"""What Prometheus is told: readings of bridge, store, disk and broker, and how each looks there.

The client library is imported by `exposition.py` alone, and that only where there is an `http.listen`.
"""
