"""The admission webhook: it turns an AdmissionReview into decisions about images and a patch."""
