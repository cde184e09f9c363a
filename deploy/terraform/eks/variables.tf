variable "cluster_name" {
  description = "Name of the EKS cluster."
  type        = string
}

variable "region" {
  description = "Region of the cluster and of the registry."
  type        = string
  default     = "eu-central-1"
}

variable "namespace" {
  description = "Namespace of the release. The role's trust policy names it."
  type        = string
  default     = "kube-system"
}

variable "name" {
  description = "Name of the release and of its service account."
  type        = string
  default     = "k8s-image-swapper"
}

variable "chart_version" {
  description = "Version of the chart."
  type        = string
  default     = "2.0.0"
}

variable "dry_run" {
  description = "Record decisions, but change no pod and copy no image. estahn/k8s-image-swapper ignored this value."
  type        = bool
  default     = true
}

variable "source_prefixes" {
  description = "Source registries that may be mirrored: repositories of the registry that the role may create and write."
  type        = list(string)
  default     = ["docker.io", "ghcr.io", "quay.io", "registry.k8s.io", "public.ecr.aws"]
}
