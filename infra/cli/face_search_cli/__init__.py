"""The command line, a client of the HTTP API. It imports none of the service's code, so it can be installed alone."""
