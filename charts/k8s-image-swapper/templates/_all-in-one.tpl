{{/* webhook, web and worker in one container, over SQLite. */}}
{{- define "swapper.allInOne" -}}
args:
  - up
  - --listen-address=:{{ .Values.containerPort }}
  - --web-address=:8000
  - --metrics-address=:8001
  {{- if eq (include "swapper.tls" .) "none" }}
  - --no-tls
  {{- else }}
  - --tls-cert-file=/tls/tls.crt
  - --tls-key-file=/tls/tls.key
  {{- end }}
{{- include "swapper.containerBasics" (list . (.Values.sqlite.resources | default .Values.resources)) | nindent 0 }}
{{- include "swapper.env" (list . "all") | nindent 0 }}
  - {name: SWAPPER_WEBHOOK_TIMEOUT_SECONDS, value: {{ include "swapper.timeout" . | quote }}}
  - {name: SWAPPER_SWAP_FILE, value: /config/swap}
  {{- include "swapper.tokenEnv" . | nindent 2 }}
  {{- include "swapper.adminEnv" . | nindent 2 }}
  {{- range $entry := include "swapper.webEnv" . | fromYamlArray }}
  {{- if ne $entry.name "SWAPPER_BIND" }}
  - {{- toYaml $entry | nindent 4 }}
  {{- end }}
  {{- end }}
{{- include "swapper.extraEnv" . | nindent 0 }}
{{- end -}}
