"""The fire drill."""
