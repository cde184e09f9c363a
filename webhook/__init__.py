"""The admission webhook: AdmissionReview in, decision and patch out."""
