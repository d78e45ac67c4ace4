"""Delivering what EventBridge's rules match, and checking what they say. ``ministack_events`` alone needs MiniStack."""
