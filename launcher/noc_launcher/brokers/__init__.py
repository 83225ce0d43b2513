"""The brokers that `noc up` can run: each a file of settings and a command."""
