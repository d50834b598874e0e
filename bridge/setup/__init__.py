"""Recipes that make mail servers hand Postbell a copy of the mail of its users. Pure: they write nothing."""
