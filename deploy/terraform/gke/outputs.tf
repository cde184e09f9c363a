output "service_account" {
  description = "Google service account of the release."
  value       = google_service_account.k8s_image_swapper.email
}
