"""The command `watch`: each message once, as it comes."""
