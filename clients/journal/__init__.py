"""What a device must not forget: the state file, and the records it is made of."""
