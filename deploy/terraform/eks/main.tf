# k8s-image-swapper on EKS, with Amazon ECR as the target and a role for its service account (IRSA).

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
          - jmespath: "contains(container.image, '.dkr.ecr.') && contains(container.image, '.amazonaws.com')"
      target:
        type: aws
        aws:
          accountId: "${data.aws_caller_identity.current.account_id}"
          region: ${var.region}

    secretReader:
      enabled: true

    serviceAccount:
      create: true
      annotations:
        eks.amazonaws.com/role-arn: "${aws_iam_role.k8s_image_swapper.arn}"
    YAML
  ]

  depends_on = [aws_iam_role_policy.k8s_image_swapper]
}
