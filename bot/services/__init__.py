"""The verbs: one use case a function, async, `miso` first. They decide by the domain and act through the hall."""
