"""What runs a model. One module or folder an engine; each is imported only when it is used."""
