"""A finished run as files that a device and a server run, and the server (docs/deployment.md)."""
