"""The ground floor: values in, decisions with reasons out. No await, no clock, no log, no I/O."""
