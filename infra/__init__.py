"""The local stack, and what deploys the service."""
