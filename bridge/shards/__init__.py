"""Which of several bridges at one database publishes for whom: shards of users, leases, and the fence at the broker."""
