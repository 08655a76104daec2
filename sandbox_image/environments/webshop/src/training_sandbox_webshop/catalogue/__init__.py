"""Making catalogues: generated ones, and ones from the files of WebShop's authors."""
