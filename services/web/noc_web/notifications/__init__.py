"""By what mail server people are told, and who: kept here, used by the alerter."""
