"""Programs that stress, fault, load, attack and measure the service. Each runs by a command of its own."""
