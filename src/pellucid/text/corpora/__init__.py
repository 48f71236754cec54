"""Named corpora: where they come from, and how they become documents."""
