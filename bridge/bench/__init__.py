"""What an installation can do, measured on a scratch of it: rate, latency and processor time a mail, each counted."""
