"""Where a mail quotes or forwards another one, known by shapes that are the same in every language."""
