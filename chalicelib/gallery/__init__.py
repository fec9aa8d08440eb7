"""What a search looks through."""
