{{/* The common parts of the containers of webhook, web and worker. */}}

{{/* Flags for the webhook's address and certificate. */}}
{{- define "swapper.webhookFlags" -}}
- --listen-address=:{{ .Values.containerPort }}
{{- if eq (include "swapper.tls" .) "none" }}
- --no-tls
{{- else }}
- --tls-cert-file=/tls/tls.crt
- --tls-key-file=/tls/tls.key
{{- end }}
{{- end -}}

{{/* Image, security context and resources. Arguments: list ROOT RESOURCES. */}}
{{- define "swapper.containerBasics" -}}
{{- $root := index . 0 -}}
image: {{ include "swapper.image" $root | quote }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
securityContext:
  {{- include "swapper.containerSecurity" $root.Values.securityContext | nindent 2 }}
{{- with index . 1 }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Environment of a process. Variables from the values are last. Arguments: list ROOT ROLE OWN-VARIABLES (YAML). */}}
{{- define "swapper.env" -}}
{{- $root := index . 0 -}}
env:
  - {name: SWAPPER_ROLE, value: {{ index . 1 }}}
  - {name: SWAPPER_CONFIG, value: /config/.k8s-image-swapper.yaml}
  - {name: SWAPPER_DATA_DIR, value: /data}
  {{- if $root.Values.credentials.existingSecret }}
  - {name: SWAPPER_CREDENTIALS_DIR, value: /credentials}
  {{- end }}
  - name: SWAPPER_SECRET_KEY
    valueFrom:
      secretKeyRef: {name: {{ include "swapper.appSecret" $root }}, key: secret-key}
  {{- with include "swapper.databaseEnv" $root }}
  {{- . | trim | nindent 2 }}
  {{- end }}
  {{- with $root.Values.awsSecretName }}
  - name: AWS_ACCESS_KEY_ID
    valueFrom:
      secretKeyRef: {name: {{ . }}, key: {{ $root.Values.awsSecretKeys.accessKeyID }}}
  - name: AWS_SECRET_ACCESS_KEY
    valueFrom:
      secretKeyRef: {name: {{ . }}, key: {{ $root.Values.awsSecretKeys.secretAccessKey }}}
  {{- end }}
  {{- with index . 2 }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with $root.Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $root.Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The address of the database. libpq reads the password and the TLS settings from its own variables. */}}
{{- define "swapper.databaseEnv" -}}
{{- $mode := include "swapper.database" . -}}
{{- $external := .Values.externalDatabase -}}
{{- if and (eq $mode "external") $external.existingSecretUrlKey }}
- name: SWAPPER_DATABASE_URL
  valueFrom:
    secretKeyRef: {name: {{ $external.existingSecret }}, key: {{ $external.existingSecretUrlKey }}}
{{- else if ne $mode "sqlite" }}
- {name: SWAPPER_DATABASE_URL, value: {{ include "swapper.databaseUrl" . | quote }}}
{{- if include "swapper.databaseSecret" . }}
- name: PGPASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ include "swapper.databaseSecret" . }}
      key: {{ ternary $external.existingSecretPasswordKey "password" (eq $mode "external") }}
{{- end }}
{{- end }}
{{- if and (eq $mode "external") (include "swapper.sslMode" .) }}
- {name: PGSSLMODE, value: {{ include "swapper.sslMode" . }}}
{{- end }}
{{- if and (eq $mode "external") $external.caSecret.name }}
- {name: PGSSLROOTCERT, value: /database-ca/ca.crt}
{{- end }}
{{- end -}}

{{- define "swapper.sslMode" -}}
{{- $external := .Values.externalDatabase -}}
{{- $external.sslMode | default (ternary "verify-full" "" (not (empty $external.caSecret.name))) -}}
{{- end -}}

{{- define "swapper.databaseUrl" -}}
{{- $external := .Values.externalDatabase -}}
{{- if ne (include "swapper.database" .) "external" -}}
{{- printf "postgres://swapper@%s:5432/swapper" (include "swapper.suffixed" (list . "postgresql")) -}}
{{- else if $external.url -}}
{{- $external.url -}}
{{- else -}}
{{- printf "postgres://%s@%s:%s/%s" (urlquery $external.username) $external.host (include "swapper.text" $external.port) $external.database -}}
{{- end -}}
{{- end -}}

{{/* Variables of the webhook only. */}}
{{- define "swapper.webhookEnv" -}}
- {name: SWAPPER_WEBHOOK_TIMEOUT_SECONDS, value: {{ include "swapper.timeout" . | quote }}}
- {name: SWAPPER_SWAP_FILE, value: /config/swap}
{{- if eq (include "swapper.requiresToken" .) "true" }}
- name: SWAPPER_WEBHOOK_TOKEN
  valueFrom:
    secretKeyRef: {name: {{ include "swapper.appSecret" . }}, key: webhook-token}
{{- end }}
{{- end -}}

{{/* Variables of web only. */}}
{{- define "swapper.webEnv" -}}
{{- $service := include "swapper.suffixed" (list . "web") -}}
- name: SWAPPER_ALLOWED_HOSTS
  value: {{ list $service (printf "%s.%s" $service .Release.Namespace) (printf "%s.%s.svc" $service .Release.Namespace)
    | concat (.Values.web.ingress.hosts | default list) (.Values.web.httpRoute.hostnames | default list) | join "," | quote }}
{{- with include "swapper.externalUrl" . }}
- {name: SWAPPER_EXTERNAL_URL, value: {{ . | quote }}}
{{- end }}
{{- with .Values.web.trustedProxies }}
- {name: SWAPPER_TRUSTED_PROXIES, value: {{ join "," . | quote }}}
{{- end }}
{{- end -}}

{{- define "swapper.adminEnv" -}}
- name: SWAPPER_ADMIN_PASSWORD
  valueFrom:
    secretKeyRef: {name: {{ include "swapper.adminSecret" . }}, key: password}
{{- end -}}

{{/* Volume mounts of a container. Arguments: list ROOT OWN-MOUNTS (YAML). */}}
{{- define "swapper.mounts" -}}
{{- $root := index . 0 -}}
volumeMounts:
  - {name: config, mountPath: /config, readOnly: true}
  - {name: data, mountPath: /data}
  - {name: tmp, mountPath: /tmp}
  {{- if $root.Values.credentials.existingSecret }}
  - {name: credentials, mountPath: /credentials, readOnly: true}
  {{- end }}
  {{- if include "swapper.databaseCa" $root }}
  - {name: database-ca, mountPath: /database-ca, readOnly: true}
  {{- end }}
  {{- with index . 1 }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with $root.Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "swapper.databaseCa" -}}
{{- if eq (include "swapper.database" .) "external" -}}{{ .Values.externalDatabase.caSecret.name }}{{- end -}}
{{- end -}}

{{/* Volumes of a role. Arguments: list ROOT DATA-SOURCE TMP-SOURCE OWN-VOLUMES (all YAML except ROOT). */}}
{{- define "swapper.volumes" -}}
{{- $root := index . 0 -}}
volumes:
  - name: config
    configMap: {name: {{ include "swapper.fullname" $root }}}
  - name: data
    {{- index . 1 | nindent 4 }}
  - name: tmp
    {{- index . 2 | nindent 4 }}
  {{- with $root.Values.credentials.existingSecret }}
  - name: credentials
    secret: {secretName: {{ . }}}
  {{- end }}
  {{- with include "swapper.databaseCa" $root }}
  - name: database-ca
    secret:
      secretName: {{ . }}
      items: [{key: {{ $root.Values.externalDatabase.caSecret.key }}, path: ca.crt}]
  {{- end }}
  {{- with index . 3 }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with $root.Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* The volume of the certificate. The key of the authority, which can be in the same Secret, is not mounted. */}}
{{- define "swapper.tlsVolume" -}}
{{- if ne (include "swapper.tls" .) "none" -}}
- name: tls
  secret:
    secretName: {{ include "swapper.tlsSecret" . }}
    items: [{key: tls.crt, path: tls.crt}, {key: tls.key, path: tls.key}]
{{- end }}
{{- end -}}

{{- define "swapper.tlsMount" -}}
{{- if ne (include "swapper.tls" .) "none" -}}
- {name: tls, mountPath: /tls, readOnly: true}
{{- end }}
{{- end -}}

{{/* The init container that migrates the database and writes the rows of the configuration. If several run
concurrently, one works and the others wait. Arguments: list ROOT RESOURCES. */}}
{{- define "swapper.prepare" -}}
{{- $root := index . 0 -}}
- name: prepare
  args: [prepare]
  {{- include "swapper.containerBasics" . | nindent 2 }}
  {{- include "swapper.env" (list $root "all" (include "swapper.adminEnv" $root)) | nindent 2 }}
  {{- include "swapper.mounts" (list $root "") | nindent 2 }}
{{- end -}}
