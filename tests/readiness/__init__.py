"""Tests of readiness and of the fire drill."""
