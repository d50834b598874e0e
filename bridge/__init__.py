"""The bridge: takes mail over SMTP and LMTP, keeps it, and publishes it over MQTT."""
