"""How the NOC thinks: pure functions of messages and times, nothing that touches a socket, a file or a clock."""
