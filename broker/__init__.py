"""The embedded MQTT broker: amqtt, hardened."""
