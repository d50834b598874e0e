"""What a device may ask of the bridge, and what it is answered."""
