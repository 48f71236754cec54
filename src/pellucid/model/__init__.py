"""The transformer, alone: torch and nothing else of ours."""
