"""The ``aerodrome`` command: thin verbs over the stacks and the embedded AWS, with no infrastructure of its own."""
