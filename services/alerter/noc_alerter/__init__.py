"""Judges all sites together, keeps the incidents, and mails each of them once."""
