"""The use cases behind the API's routes."""
