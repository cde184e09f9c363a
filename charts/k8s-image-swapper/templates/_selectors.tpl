{{/* Which pods are sent to the webhook: the values' selectors, and what must start without it. */}}

{{/* Under Fail the namespaces that must start without the webhook are left out; under Ignore nothing is refused. */}}
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

{{/* Our own pods and those of CloudNativePG start without the webhook, whatever the policy. */}}
{{- define "swapper.objectSelector" -}}
{{- $selector := deepCopy (.Values.webhook.objectSelector | default dict) -}}
{{- $ours := list
  (dict "key" "k8s-image-swapper/component" "operator" "DoesNotExist")
  (dict "key" "cnpg.io/cluster" "operator" "DoesNotExist") -}}
{{- $given := $selector.matchExpressions | default list -}}
{{- $_ := set $selector "matchExpressions" (concat $given $ours) -}}
{{- toYaml $selector -}}
{{- end -}}
