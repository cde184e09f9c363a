resource "google_artifact_registry_repository" "mirror" {
  project       = var.project_id
  location      = var.location
  repository_id = var.repository_id
  description   = "Images that k8s-image-swapper mirrors"
  format        = "DOCKER"
}

# Nodes pull with their own identity. Node pools need the scope devstorage.read_only.
resource "google_artifact_registry_repository_iam_member" "nodes" {
  project    = var.project_id
  location   = var.location
  repository = google_artifact_registry_repository.mirror.name
  role       = "roles/artifactregistry.reader"
  member     = "serviceAccount:${var.node_service_account}"
}

resource "google_service_account" "k8s_image_swapper" {
  project      = var.project_id
  account_id   = var.name
  display_name = "Workload Identity for ${var.namespace}/${var.name}"
}

resource "google_service_account_iam_member" "workload_identity" {
  service_account_id = google_service_account.k8s_image_swapper.name
  role               = "roles/iam.workloadIdentityUser"
  member             = "serviceAccount:${var.project_id}.svc.id.goog[${var.namespace}/${var.name}]"
}

resource "google_artifact_registry_repository_iam_member" "writer" {
  project    = var.project_id
  location   = var.location
  repository = google_artifact_registry_repository.mirror.name
  role       = "roles/artifactregistry.writer"
  member     = "serviceAccount:${google_service_account.k8s_image_swapper.email}"
}

# The control plane of a private cluster can reach only the ports 443 and 10250 of the nodes.
resource "google_compute_firewall" "webhook" {
  count         = var.private_cluster == null ? 0 : 1
  project       = var.project_id
  name          = "gke-${var.cluster_name}-${var.name}-webhook"
  network       = var.private_cluster.network
  direction     = "INGRESS"
  source_ranges = [var.private_cluster.master_ipv4_cidr]
  target_tags   = [var.private_cluster.node_tag]

  allow {
    protocol = "tcp"
    ports    = ["8443"]
  }
}
