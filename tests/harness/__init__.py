"""Programs that stress, load, attack and measure the service, and inject faults. Each has its own command."""
