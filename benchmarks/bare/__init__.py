"""The floor: a DRF view and a plain Django view that parse a review, run the same filters, and answer "allowed"."""
