"""The web server as a process of its own: the web client, its way to the broker, and pages of the bridge."""
