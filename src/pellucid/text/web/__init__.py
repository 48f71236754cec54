"""What comes over the network: fetched once into a cache, whole or not at all."""
