"""A simulated internet in a network namespace: hosts behind a TUN device, and a record of what they did."""
