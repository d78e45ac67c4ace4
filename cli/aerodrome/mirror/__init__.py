"""``aerodrome mirror``: copies every image and chart of the platform to the account's own registry."""
