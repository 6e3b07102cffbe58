"""The verbs, where a story on the wire cannot reach."""
