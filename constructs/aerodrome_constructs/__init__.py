"""Building blocks of an ML platform on AWS, usable without the rest of Aerodrome."""
