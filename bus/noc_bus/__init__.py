"""How the services speak: every message declared once, its topic, its codec, and the MQTT session that carries it."""
