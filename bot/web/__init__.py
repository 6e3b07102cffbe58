"""Doors that speak HTTP: webhooks, OIDC documents, health. Each checks the form and makes one call."""
