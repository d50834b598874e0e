"""What a mail says, read from its raw bytes. Pure, bounded in time and memory, and it never raises."""
