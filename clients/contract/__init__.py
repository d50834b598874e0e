"""The contract as a client reads and writes it, from docs/protocol.md alone; pure."""
