"""``aerodrome try``: the whole platform on this machine, and a real job on it."""
