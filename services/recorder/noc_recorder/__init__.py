"""Stores every result and every change of state durably, then says so by its marks."""
