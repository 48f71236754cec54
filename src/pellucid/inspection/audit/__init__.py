"""What a model has memorised of its training text, measured in four ways."""
