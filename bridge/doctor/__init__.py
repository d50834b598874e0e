"""The doctor: looks at every hop of a mail's way from mail server to device, and names what is broken with its cure."""
