{{/* The common parts of the set-up Job and the CronJob that renews the certificate. */}}

{{/* A pod of the set-up. Arguments: list ROOT CONTAINERS (YAML). */}}
{{- define "swapper.setupPod" -}}
{{- $root := index . 0 -}}
{{- $patch := $root.Values.patch -}}
metadata:
  {{- include "swapper.podMetadata" (list $root "setup" $root.Values.podLabels $patch.podAnnotations) | nindent 2 }}
spec:
  restartPolicy: OnFailure
  serviceAccountName: {{ include "swapper.setupServiceAccount" $root }}
  automountServiceAccountToken: true
  {{- include "swapper.podBasics" (list $root $patch.nodeSelector $patch.tolerations) | nindent 2 }}
  {{- with $patch.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $patch.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  securityContext:
    {{- include "swapper.podSecurity" $root.Values.podSecurityContext | nindent 4 }}
  {{- index . 1 | trim | nindent 2 }}
  volumes:
    - {name: data, emptyDir: {}}
    - {name: tmp, emptyDir: {}}
{{- end -}}

{{/* A container of the set-up. Arguments: list ROOT NAME ARGUMENTS. */}}
{{- define "swapper.setupContainer" -}}
{{- $root := index . 0 -}}
- name: {{ index . 1 }}
  args:
    {{- index . 2 | toYaml | nindent 4 }}
  {{- include "swapper.containerBasics" (list $root $root.Values.patch.resources) | nindent 2 }}
  env:
    - {name: SWAPPER_DATA_DIR, value: /data}
  volumeMounts:
    - {name: data, mountPath: /data}
    - {name: tmp, mountPath: /tmp}
{{- end -}}

{{- define "swapper.secretsArguments" -}}
- setup_secrets
- --namespace={{ .Release.Namespace }}
- --app-secret={{ include "swapper.appSecret" . }}
{{- if and (eq (include "swapper.database" .) "postgresql") (not .Values.postgresql.existingSecret) }}
- --database-secret={{ include "swapper.databaseSecret" . }}
{{- end }}
{{- if not .Values.admin.existingSecret }}
- --admin-secret={{ include "swapper.adminSecret" . }}
{{- end }}
{{- end -}}

{{- define "swapper.certificateArguments" -}}
- webhook_certs
- --namespace={{ .Release.Namespace }}
- --secret={{ include "swapper.tlsSecret" . }}
- --service={{ include "swapper.fullname" . }}
- --webhook-configuration={{ include "swapper.fullname" . }}
- --cluster-suffix={{ .Values.clusterSuffix }}
{{- if eq (include "swapper.requiresToken" .) "true" }}
- --token-secret={{ include "swapper.appSecret" . }}
{{- end }}
{{- with .Values.patch.validityDays }}
- --validity-days={{ . }}
{{- end }}
{{- with .Values.patch.renewBeforeDays }}
- --renew-before-days={{ . }}
{{- end }}
{{- end -}}

{{- define "swapper.activationArguments" -}}
- activate_webhook
- --namespace={{ .Release.Namespace }}
- --webhook-configuration={{ include "swapper.fullname" . }}
- --role={{ include "swapper.activeRole" . }}
- --service-account={{ include "swapper.fullname" . }}
{{- end -}}

{{/* The containers of the Job: first the Secrets, because the webhook needs them to start, then the daily steps. */}}
{{- define "swapper.setupContainers" -}}
{{- $steps := list -}}
{{- if include "swapper.madeSecrets" . -}}{{- $steps = append $steps "secrets" -}}{{- end -}}
{{- include "swapper.inTurn" (list . (concat $steps (include "swapper.dailySteps" . | fromYamlArray))) -}}
{{- end -}}

{{- define "swapper.dailySteps" -}}
{{- if eq (include "swapper.tls" .) "job" }}
- certificate
{{- end }}
{{- if include "swapper.isActivated" . }}
- activation
{{- end }}
{{- end -}}

{{/* Containers of a pod, each of which starts when the previous one has finished. Arguments: list ROOT STEPS. */}}
{{- define "swapper.inTurn" -}}
{{- $root := index . 0 -}}
{{- $steps := index . 1 -}}
{{- with initial $steps }}
initContainers:
  {{- range . }}
  {{- include "swapper.setupContainer" (list $root . (include (printf "swapper.%sArguments" .) $root | fromYamlArray)) | nindent 2 }}
  {{- end }}
{{- end }}
{{- with last $steps }}
containers:
  {{- include "swapper.setupContainer" (list $root . (include (printf "swapper.%sArguments" .) $root | fromYamlArray)) | nindent 2 }}
{{- end }}
{{- end -}}
