"""What the NOC remembers: one protocol, a SQLite store and an InfluxDB store."""
