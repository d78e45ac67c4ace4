"""``aerodrome plan``: what a deploy would do to each resource, said before it is done."""
