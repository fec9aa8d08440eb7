"""The local stack: the service on this machine, with moto as AWS, and the commands on its face set."""
