"""The page and its APIs, on loopback unless told otherwise."""
