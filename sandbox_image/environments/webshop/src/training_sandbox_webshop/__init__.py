"""WebShop as an environment of Training Sandbox, and a generator of catalogues."""
