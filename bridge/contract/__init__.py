"""What goes over MQTT, as the bridge writes and reads it: names of topics and messages, bytes of payloads. Pure."""
