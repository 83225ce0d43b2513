"""The targets, groups and sites: what may be in them, and the database that keeps them."""
