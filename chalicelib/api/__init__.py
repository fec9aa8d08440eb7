"""The HTTP API: endpoints, arguments, replies, the OpenAPI document and the console page."""
