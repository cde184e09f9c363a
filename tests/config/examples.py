"""Configuration files in the form of those of users of the earlier tool."""

from __future__ import annotations

CROSS_ACCOUNT = """
target:
  type: aws
  aws:
    accountId: 123456789
    region: ap-southeast-2
    role: arn:aws:iam::123456789012:role/roleName
"""

ACCESS_POLICY = (
    CROSS_ACCOUNT
    + """    accessPolicy: |
      {
        "Statement": [
          {
            "Sid": "AllowCrossAccountPull",
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": ["ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage", "ecr:BatchCheckLayerAvailability"],
            "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-xxxxxxxxxx"}}
          }
        ],
        "Version": "2008-10-17"
      }
"""
)

LIFECYCLE_POLICY = (
    CROSS_ACCOUNT
    + """    lifecyclePolicy: |
      {
        "rules": [
          {
            "rulePriority": 1,
            "description": "Rule 1",
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1000},
            "action": {"type": "expire"}
          }
        ]
      }
"""
)

GCP = """
target:
  type: gcp
  gcp:
    location: us-central1
    projectId: gcp-project-123
    repositoryId: main
"""

TERRAFORM = """
dryRun: true
logLevel: debug
logFormat: console

source:
  # Filters provide control over what pods will be processed.
  filters:
    - jmespath: "obj.metadata.namespace != 'default'"
    - jmespath: "contains(container.image, '.dkr.ecr.') && contains(container.image, '.amazonaws.com')"
target:
  type: aws
  aws:
    accountId: "123456789012"
    region: ap-southeast-1
"""

CHART_DEFAULTS = """
dryRun: true
logLevel: debug
logFormat: console
source:
  filters:
    - jmespath: "obj.metadata.namespace == 'kube-system'"
target:
  aws:
    accountId: "12345678"
    region: ap-southeast-2
"""

CHART_WITH_GCP = (
    CHART_DEFAULTS + "  type: gcp\n  gcp: {location: europe, projectId: gcp-project-123, repositoryId: main}\n"
)

FULL_AWS = """
dryRun: false
imageSwapPolicy: always
imageCopyPolicy: immediate
imageCopyDeadline: 8s
source:
  registries:
    - type: aws
      aws:
        accountId: 123456789
        region: ap-southeast-2
    - type: gcp
      gcp:
        location: us-central1
        projectId: gcp-project-123
        repositoryId: main
target:
  type: aws
  aws:
    accountId: "123456789012"
    region: ap-southeast-2
    prefix: mirror
    ecrOptions:
      tags:
        - key: cluster
          value: myCluster
      imageTagMutability: IMMUTABLE
      imageScanningConfiguration:
        imageScanOnPush: false
      encryptionConfiguration:
        encryptionType: KMS
        kmsKey: alias/mirror
      accessPolicy: '{"Version": "2008-10-17"}'
"""

OCI = """
target:
  type: oci
  oci:
    endpoint: registry.internal:5000
    prefix: mirror
    username: pusher
    passwordFile: registry-password
    caFile: /etc/ssl/internal.pem
source:
  registries:
    - {type: oci, host: docker.io, username: me, passwordEnv: SWAPPER_CRED_HUB, namespaces: [shop, "*"]}
  allowedHosts: [docker.io, "*.example.com", ghcr.io]
platforms: [linux/amd64, linux/arm/v7]
existence: {maxAge: 5m, maxStale: 1h30m}
quotas: {newImagesPerHour: 10, pendingJobs: 5}
copy: {images: 4, blobs: 8, maxImageBytes: 512MiB}
trustedCA: /etc/ssl/proxy.pem
"""

ALL = [CROSS_ACCOUNT, ACCESS_POLICY, LIFECYCLE_POLICY, GCP, TERRAFORM, CHART_DEFAULTS, CHART_WITH_GCP, FULL_AWS, OCI]
