"""An AWS that runs on loopback: MiniStack, and what it lacks for the platform's stacks."""
