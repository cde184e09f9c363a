output "role_arn" {
  description = "Role of the service account."
  value       = aws_iam_role.k8s_image_swapper.arn
}
