"""Who may connect to the broker: the one table of its users, and the files in which brokers read them."""
