variable "project_id" {
  description = "Project of the cluster and of the registry."
  type        = string
}

variable "cluster_name" {
  description = "Name of the GKE cluster. Workload Identity is enabled on it."
  type        = string
}

variable "location" {
  description = "Region of the cluster and of the registry."
  type        = string
  default     = "europe-west3"
}

variable "repository_id" {
  description = "The one repository that holds all mirrored images."
  type        = string
  default     = "main"
}

variable "node_service_account" {
  description = "E-mail address of the nodes' service account, which pulls from the mirror."
  type        = string
}

variable "namespace" {
  description = "Namespace of the release. The Workload Identity binding names it."
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

variable "private_cluster" {
  description = "Private cluster: its network, the nodes' tag and the control plane's range, for the firewall rule. Null for others."
  type = object({
    network          = string
    node_tag         = string
    master_ipv4_cidr = string
  })
  default = null
}
