"""What every process needs, whatever its job: start and stop, settings, log lines, databases."""
