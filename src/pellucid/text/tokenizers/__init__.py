"""Text becomes numbers: characters, byte-level BPE, WordPiece."""
