{{/* webhook, web and worker in one container, over SQLite. */}}
{{- define "swapper.allInOne" -}}
args:
  - up
  {{- include "swapper.webhookFlags" . | nindent 2 }}
  - --web-address=:8000
  - --metrics-address=:8001
{{- include "swapper.containerBasics" (list . (.Values.sqlite.resources | default .Values.resources)) | nindent 0 }}
{{- include "swapper.env" (list . "all") | nindent 0 }}
  {{- include "swapper.webhookEnv" . | nindent 2 }}
  {{- include "swapper.adminEnv" . | nindent 2 }}
  {{- include "swapper.webEnv" . | nindent 2 }}
{{- include "swapper.extraEnv" . | nindent 0 }}
{{- end -}}
