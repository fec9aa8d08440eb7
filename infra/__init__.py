"""The local stack, the deployment commands and the command line."""
