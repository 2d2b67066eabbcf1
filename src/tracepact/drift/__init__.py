"""How contracts change, hang together, and are covered; and finding something in them."""
