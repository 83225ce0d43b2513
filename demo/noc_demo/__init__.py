"""The demonstration: the real NOC on a simulated company, with a script of failures, its past and its mails."""
