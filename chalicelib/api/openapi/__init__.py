"""The OpenAPI document, built from the routes' own definitions."""
