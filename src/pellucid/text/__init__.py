"""Text becomes tokens: corpora are read, split and tokenised. Imports `pellucid.errors` alone, no torch."""
