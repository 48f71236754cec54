"""How long tests wait for what should take a second: machines may be very busy, and only a failure waits."""

PATIENCE = 240.0  # seconds
