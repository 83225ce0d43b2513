"""What the network looks like right now, and how browsers are kept up to it."""
