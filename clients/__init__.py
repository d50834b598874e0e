"""The clients: what a device makes of the contract, sharing no code with the bridge, and a client for the terminal."""
