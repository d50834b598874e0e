"""From the truth to the broker: the outbox that publishes, the replay that repairs, the link they go over."""
