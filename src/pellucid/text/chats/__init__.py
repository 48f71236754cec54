"""What people wrote to one another: every export becomes the same records."""
