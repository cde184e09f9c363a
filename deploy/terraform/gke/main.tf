# k8s-image-swapper on GKE, with Google Artifact Registry as the target and Workload Identity.

resource "helm_release" "k8s_image_swapper" {
  name       = var.name
  namespace  = var.namespace
  repository = "oci://ghcr.io/k8s-image-swapper/charts"
  chart      = "k8s-image-swapper"
  version    = var.chart_version
  keyring    = ""

  values = [
    <<-YAML
    config:
      dryRun: ${var.dry_run}
      logLevel: info
      logFormat: json

      source:
        # Images for which one of these filters is true keep their name: https://jmespath.org/
        filters:
          - jmespath: "obj.metadata.namespace == 'kube-system'"
          - jmespath: "contains(container.image, '-docker.pkg.dev/')"
      target:
        type: gcp
        gcp:
          location: ${var.location}
          projectId: ${var.project_id}
          repositoryId: ${google_artifact_registry_repository.mirror.repository_id}

    secretReader:
      enabled: true

    serviceAccount:
      create: true
      annotations:
        iam.gke.io/gcp-service-account: "${google_service_account.k8s_image_swapper.email}"
    YAML
  ]

  depends_on = [
    google_artifact_registry_repository_iam_member.writer,
    google_service_account_iam_member.workload_identity,
  ]
}
