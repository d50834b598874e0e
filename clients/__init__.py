"""Clients of the contract: own decoder, inbox and session; terminal, web, microcontroller."""
