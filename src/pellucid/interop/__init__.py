"""Models of other programs, taken over exactly or refused by name."""
