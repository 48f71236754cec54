"""Small fairy tales from a grammar made for this project: endless, and exactly as hard as can be computed."""
