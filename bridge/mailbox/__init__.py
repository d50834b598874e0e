"""A mailbox at a mail server beside the box of its user: what stands for what, who has the last word. Pure."""
