{{/* Selectors of the pods that are sent to the webhook: those of the values, without pods that must start without the
webhook. */}}

{{/* Under Fail, namespaces that must start without the webhook are excluded; under Ignore no pod is refused. */}}
{{- define "swapper.namespaceSelector" -}}
{{- $selector := deepCopy (.Values.webhook.namespaceSelector | default dict) -}}
{{- if eq .Values.webhook.failurePolicy "Fail" -}}
  {{- $names := concat (list .Release.Namespace "kube-system") .Values.webhook.exemptNamespaces | uniq -}}
  {{- $exempt := dict "key" "kubernetes.io/metadata.name" "operator" "NotIn" "values" $names -}}
  {{- $given := $selector.matchExpressions | default list -}}
  {{- $_ := set $selector "matchExpressions" (append $given $exempt) -}}
{{- end -}}
{{- toYaml $selector -}}
{{- end -}}

{{/* Pods of this release and of CloudNativePG start without the webhook under both policies. */}}
{{- define "swapper.objectSelector" -}}
{{- $selector := deepCopy (.Values.webhook.objectSelector | default dict) -}}
{{- $ours := list
  (dict "key" "k8s-image-swapper/component" "operator" "DoesNotExist")
  (dict "key" "cnpg.io/cluster" "operator" "DoesNotExist") -}}
{{- $given := $selector.matchExpressions | default list -}}
{{- $_ := set $selector "matchExpressions" (concat $given $ours) -}}
{{- toYaml $selector -}}
{{- end -}}
