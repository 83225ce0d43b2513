"""The web service's own database: users, targets, groups, sites, audit."""
