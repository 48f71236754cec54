"""Text becomes tokens: corpora are read, split and tokenised. No torch here."""
