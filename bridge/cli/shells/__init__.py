"""Completion for bash, zsh and fish: scripts made of what the commands say of themselves.

A script knows commands and options by itself, so that a key costs no start of Python; names of users, devices and
other logins it asks of `postbell`, which tells them to whom may read the store.
"""
