"""The platform's stacks: one deployable stack a file, each with the ports that it exports to the others."""
