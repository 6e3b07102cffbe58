"""How the pretend GitHub writes what it remembers as JSON: one module a family, pure functions over `State`."""
