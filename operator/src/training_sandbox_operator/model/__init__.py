"""What is known: typed immutable views of API objects and of the catalogue."""
