"""Devices that sleep are rung by Web Push: what is said, how it is sealed and signed, and how it gets there."""
