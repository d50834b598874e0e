"""The doctor: looks at every hop of a mail's way from listener to device, and names what is broken with its cure."""
