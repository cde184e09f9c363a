"""A made-up year of a large installation: which rows there are, and how they get into a database."""
