"""Everything that talks to the API server or to the server of an instance."""
