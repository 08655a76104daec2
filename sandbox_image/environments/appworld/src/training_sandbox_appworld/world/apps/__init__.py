"""The rows of each app, one module an app: `fill` adds about so many rows to the tables."""
