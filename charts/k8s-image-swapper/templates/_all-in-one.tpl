{{/* One container that runs webhook, web, worker and watcher on SQLite. */}}
{{- define "swapper.allInOne" -}}
args:
  - up
  {{- include "swapper.webhookFlags" . | nindent 2 }}
  - --web-address=:8000
  - --metrics-address=:8001
  - --watcher-address=:8002
  - --webhook-configuration={{ include "swapper.fullname" . }}
{{- include "swapper.containerBasics" (list . (.Values.sqlite.resources | default .Values.resources)) | nindent 0 }}
{{- $own := list (include "swapper.webhookEnv" .) (include "swapper.adminEnv" .) (include "swapper.webEnv" .) | join "\n" }}
{{- include "swapper.env" (list . "all" $own) | nindent 0 }}
{{- end -}}
