"""Numbered migrations: `NNNN_what.sql`, applied in order, each once."""
