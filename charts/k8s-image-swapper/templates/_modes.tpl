{{/* Modes that the values select: the database, the source of the certificate, the timeout of a review. */}}

{{/* The database: postgresql, external or sqlite. */}}
{{- define "swapper.database" -}}
{{- $external := .Values.externalDatabase -}}
{{- if .Values.sqlite.enabled -}}sqlite
{{- else if or $external.host $external.url $external.existingSecretUrlKey -}}external
{{- else if .Values.postgresql.enabled -}}postgresql
{{- end -}}
{{- end -}}

{{/* The source of the certificate: none (plain HTTP), secret, certmanager or job. */}}
{{- define "swapper.tls" -}}
{{- if .Values.dev.enabled -}}none
{{- else if .Values.tls.existingSecret -}}secret
{{- else if .Values.certmanager.enabled -}}certmanager
{{- else if .Values.patch.enabled -}}job
{{- end -}}
{{- end -}}

{{- define "swapper.tlsSecret" -}}
{{- .Values.tls.existingSecret | default (include "swapper.suffixed" (list . "tls")) -}}
{{- end -}}

{{/* "true" if reviews are served at a secret path. The Job that creates the certificate registers the path. */}}
{{- define "swapper.requiresToken" -}}
{{- if kindIs "bool" .Values.webhook.requireToken -}}{{ .Values.webhook.requireToken }}
{{- else -}}{{ eq (include "swapper.tls" .) "job" }}
{{- end -}}
{{- end -}}

{{- define "swapper.hasMatchConditions" -}}
{{- if semverCompare ">=1.28.0-0" .Capabilities.KubeVersion.Version -}}true{{- end -}}
{{- end -}}

{{/* "true" if API servers call the webhook only after the set-up Job has activated it. Under Ignore no pod is refused
anyway. */}}
{{- define "swapper.isActivated" -}}
{{- if and (eq .Values.webhook.failurePolicy "Fail") .Values.rbac.create (not .Values.dev.enabled) (include "swapper.hasMatchConditions" .) -}}
true
{{- end -}}
{{- end -}}

{{/* The Role that must be bound to activate the webhook. */}}
{{- define "swapper.activeRole" -}}{{ include "swapper.suffixed" (list . "active") }}{{- end -}}

{{/* "true" if a set-up is needed. */}}
{{- define "swapper.hasSetup" -}}
{{- if or (include "swapper.madeSecrets" .) (include "swapper.isActivated" .) -}}true{{- end -}}
{{- end -}}

{{- define "swapper.appSecret" -}}
{{- .Values.secrets.existingSecret | default (include "swapper.suffixed" (list . "app")) -}}
{{- end -}}

{{- define "swapper.adminSecret" -}}
{{- .Values.admin.existingSecret | default (include "swapper.suffixed" (list . "admin")) -}}
{{- end -}}

{{- define "swapper.databaseSecret" -}}
{{- if eq (include "swapper.database" .) "external" -}}
{{- .Values.externalDatabase.existingSecret -}}
{{- else -}}
{{- .Values.postgresql.existingSecret | default (include "swapper.suffixed" (list . "postgresql")) -}}
{{- end -}}
{{- end -}}

{{/* Names of the Secrets that the set-up Job creates, separated by commas. */}}
{{- define "swapper.madeSecrets" -}}
{{- $names := list -}}
{{- if not .Values.secrets.existingSecret -}}{{- $names = append $names (include "swapper.appSecret" .) -}}{{- end -}}
{{- if not .Values.admin.existingSecret -}}{{- $names = append $names (include "swapper.adminSecret" .) -}}{{- end -}}
{{- if and (eq (include "swapper.database" .) "postgresql") (not .Values.postgresql.existingSecret) -}}
  {{- $names = append $names (include "swapper.databaseSecret" .) -}}
{{- end -}}
{{- if eq (include "swapper.tls" .) "job" -}}{{- $names = append $names (include "swapper.tlsSecret" .) -}}{{- end -}}
{{- join "," $names -}}
{{- end -}}

{{/* The seconds of a duration such as 1m30s, rounded up. */}}
{{- define "swapper.seconds" -}}
{{- $total := 0.0 -}}
{{- range $term := regexFindAll "[0-9.]+(ms|us|ns|h|m|s)" . -1 -}}
  {{- $number := regexFind "[0-9.]+" $term | float64 -}}
  {{- $size := get (dict "h" 3600 "m" 60 "s" 1) (regexFind "[a-z]+" $term) | default 0 -}}
  {{- $total = addf $total (mulf $number $size) -}}
{{- end -}}
{{- ceil $total | int -}}
{{- end -}}

{{/* timeoutSeconds of the webhook. A pod waits for its copy only under immediate and force. */}}
{{- define "swapper.timeout" -}}
{{- $policy := include "swapper.find" (list .Values.config "imagecopypolicy") -}}
{{- if .Values.webhook.timeoutSeconds -}}
{{- .Values.webhook.timeoutSeconds | int -}}
{{- else if has $policy (list "immediate" "force") -}}
{{- $deadline := include "swapper.find" (list .Values.config "imagecopydeadline") | default "8s" -}}
{{- max 3 (min 30 (add 2 (include "swapper.seconds" $deadline | int))) -}}
{{- else -}}3
{{- end -}}
{{- end -}}

{{/* The address that users open; empty if the values contain none. */}}
{{- define "swapper.externalUrl" -}}
{{- $ingress := .Values.web.ingress -}}
{{- $route := .Values.web.httpRoute -}}
{{- if .Values.web.externalUrl -}}{{ .Values.web.externalUrl }}
{{- else if and $ingress.enabled $ingress.hosts -}}
{{- printf "%s://%s" (ternary "https" "http" (not (empty $ingress.tls))) (first $ingress.hosts) -}}
{{- else if and $route.enabled $route.hostnames -}}{{ printf "https://%s" (first $route.hostnames) }}
{{- end -}}
{{- end -}}

{{/* The source of a volume. Another kind takes precedence over the chart's emptyDir, with which Helm merges it. */}}
{{- define "swapper.volumeSource" -}}
{{- $source := . | default (dict "emptyDir" dict) -}}
{{- if gt (len $source) 1 -}}{{ omit $source "emptyDir" | toYaml }}{{- else -}}{{ toYaml $source }}{{- end -}}
{{- end -}}
