"""The baseline: a DRF view and a plain Django view that parse a review, run the same filters, and allow the pod."""
