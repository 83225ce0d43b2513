"""Keeps the targets, shows the network live, and answers over HTTP."""
