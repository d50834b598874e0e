"""MQTT as bytes: what clients of 3.1, 3.1.1 and 5 say and are told, in words of no version, and a codec for each."""
