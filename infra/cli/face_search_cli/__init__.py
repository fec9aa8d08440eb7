"""The command line, a client of the HTTP API; it knows nothing of the service's code, so it can be installed alone."""
