"""The first set-up of an installation: what is asked, what follows from the answers, and how it is carried out."""
