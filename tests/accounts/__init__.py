"""Tests of users, roles, tokens and sign-in."""
