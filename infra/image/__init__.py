"""Container images of the service: for AWS Lambda, and for one machine with Docker."""
