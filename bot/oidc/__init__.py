"""Miso as an OIDC issuer: the keys it signs with, and the assertions by which it speaks for an environment to Entra."""
