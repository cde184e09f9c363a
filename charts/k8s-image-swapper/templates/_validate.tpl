{{/* Fail on values that cannot work together, with a message that names the values to set. */}}
{{- define "swapper.validate" -}}
{{- include "swapper.validateImage" . -}}
{{- include "swapper.validateTarget" . -}}
{{- include "swapper.validateTls" . -}}
{{- include "swapper.validateWebhook" . -}}
{{- include "swapper.validateDatabase" . -}}
{{- end -}}

{{- define "swapper.validateImage" -}}
{{- $isOwn := eq .Values.image.repository (include "swapper.ownRepository" .) -}}
{{- $isUpstream := eq (include "swapper.tagIsUpstream" .) "true" -}}
{{- if and $isUpstream (not $isOwn) (not .Values.image.digest) (ne (include "swapper.namesUpstream" .) "true") -}}
{{- fail (printf "\n\nimage.tag %s is a release of estahn/k8s-image-swapper, which cannot run this chart. Copy %s:%s to %s, and remove image.tag." (include "swapper.text" .Values.image.tag) (include "swapper.ownRepository" .) .Chart.AppVersion .Values.image.repository) -}}
{{- end -}}
{{- end -}}

{{- define "swapper.validateTarget" -}}
{{- $config := include "swapper.config" . | fromYaml -}}
{{- $type := include "swapper.find" (list $config "target.type") | default "aws" -}}
{{- if not (include "swapper.find" (list $config (printf "target.%s" $type))) -}}
{{- fail (printf "\n\nconfig.target.%s is missing: config.target.type %s needs this section." $type $type) -}}
{{- end -}}
{{- end -}}

{{- define "swapper.validateTls" -}}
{{- $mode := include "swapper.tls" . -}}
{{- if and .Values.tls.existingSecret .Values.certmanager.enabled -}}
{{- fail "\n\ntls.existingSecret and certmanager.enabled both provide the certificate. Set only one of them." -}}
{{- end -}}
{{- if not $mode -}}
{{- fail "\n\nThe webhook has no certificate. Set patch.enabled=true (the set-up Job creates one), certmanager.enabled=true, or tls.existingSecret with tls.caBundle." -}}
{{- end -}}
{{- if and (eq $mode "secret") (not .Values.tls.caBundle) (not .Values.webhook.annotations) -}}
{{- fail "\n\ntls.existingSecret needs tls.caBundle: the certificate authority in PEM. Or let cert-manager inject it: webhook.annotations.\"cert-manager.io/inject-ca-from-secret\"." -}}
{{- end -}}
{{- if and (eq (include "swapper.requiresToken" .) "true") (ne $mode "job") -}}
{{- fail "\n\nwebhook.requireToken works only where the set-up Job registers the certificate (patch.enabled). Set it to false or null." -}}
{{- end -}}
{{- end -}}

{{- define "swapper.validateWebhook" -}}
{{- if and (eq .Values.webhook.failurePolicy "Fail") (not .Values.webhook.exemptNamespaces) -}}
{{- fail "\n\nWith webhook.failurePolicy=Fail, pods are denied while the webhook is down. List the namespaces that must start without it in webhook.exemptNamespaces, such as those of Karpenter, the CNI, CSI drivers and cert-manager: [karpenter, calico-system, cert-manager]. The release's own namespace and kube-system are added." -}}
{{- end -}}
{{- if and .Values.hostNetwork (eq (int .Values.containerPort) 10250) -}}
{{- fail "\n\ncontainerPort 10250 is the kubelet's port, so hostNetwork cannot use it. Set containerPort to a free port of the nodes, such as 10260." -}}
{{- end -}}
{{- $timeout := include "swapper.timeout" . | int -}}
{{- if or (lt $timeout 1) (gt $timeout 30) -}}
{{- fail (printf "\n\nwebhook.timeoutSeconds must be from 1 to 30, not %d." $timeout) -}}
{{- end -}}
{{- end -}}

{{- define "swapper.validateDatabase" -}}
{{- $mode := include "swapper.database" . -}}
{{- $external := .Values.externalDatabase -}}
{{- if not $mode -}}
{{- fail "\n\nNo database is configured. Set postgresql.enabled=true, externalDatabase.host (or url, or existingSecretUrlKey), or sqlite.enabled=true." -}}
{{- end -}}
{{- if and (eq $mode "external") $external.existingSecretUrlKey (not $external.existingSecret) -}}
{{- fail "\n\nexternalDatabase.existingSecretUrlKey needs externalDatabase.existingSecret, the name of the Secret." -}}
{{- end -}}
{{- if regexMatch "^[a-z]+://[^/@]*:[^/@]*@" ($external.url | default "") -}}
{{- fail "\n\nexternalDatabase.url contains a password, which every user who can read the Deployment would see. Put the URL into a Secret, and set externalDatabase.existingSecret to its name." -}}
{{- end -}}
{{- if eq $mode "sqlite" -}}
  {{- range $name, $block := dict "" .Values "web." .Values.web "worker." .Values.worker -}}
    {{- if or (gt (int $block.replicaCount) 1) $block.autoscaling.enabled -}}
    {{- fail (printf "\n\nsqlite.enabled runs all roles in one pod: set %sreplicaCount to 1 and %sautoscaling.enabled to false, or use Postgres." $name $name) -}}
    {{- end -}}
  {{- end -}}
  {{- if gt (int .Values.watcher.replicaCount) 1 -}}
  {{- fail "\n\nsqlite.enabled runs all roles in one pod: set watcher.replicaCount to 1, or use Postgres." -}}
  {{- end -}}
  {{- if .Values.worker.keda.enabled -}}
  {{- fail "\n\nsqlite.enabled runs all roles in one pod: set worker.keda.enabled to false, or use Postgres." -}}
  {{- end -}}
{{- end -}}
{{- end -}}
