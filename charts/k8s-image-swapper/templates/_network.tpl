{{/* Peers that can connect to each process, as in `from` of a NetworkPolicy. */}}

{{/* Rules for one port; empty if no peer can connect. Arguments: list PORT-NAME PEERS. */}}
{{- define "swapper.ingressRules" -}}
{{- with index . 1 -}}
- ports: [{port: {{ index $ 0 }}, protocol: TCP}]
  from:
    {{- toYaml . | nindent 4 }}
{{- end }}
{{- end -}}

{{/* `ingress` with these rules. An empty list is omitted, because API servers do not store it and GitOps tools would
report a difference. */}}
{{- define "swapper.ingress" -}}
{{- with include "swapper.ingressRules" . -}}
ingress:
  {{- . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Peers that can connect to web: the configured ones, otherwise all if an Ingress or a Gateway routes to web. */}}
{{- define "swapper.visitors" -}}
{{- if .Values.networkPolicy.web.from -}}
{{- toYaml .Values.networkPolicy.web.from -}}
{{- else if or .Values.web.ingress.enabled .Values.web.httpRoute.enabled -}}
- namespaceSelector: {}
{{- else -}}
[]
{{- end -}}
{{- end -}}

{{/* Peers that can read metrics: the configured ones, otherwise Prometheus if a monitor is enabled. */}}
{{- define "swapper.scrapers" -}}
{{- if .Values.networkPolicy.metrics.from -}}
{{- toYaml .Values.networkPolicy.metrics.from -}}
{{- else if or .Values.metrics.serviceMonitor.enabled .Values.metrics.podMonitor.enabled -}}
- namespaceSelector: {}
  podSelector:
    matchLabels: {app.kubernetes.io/name: prometheus}
{{- else -}}
[]
{{- end -}}
{{- end -}}

{{/* Clients of the bundled Postgres: webhook, web, worker, watcher, KEDA and the configured peers. */}}
{{- define "swapper.databaseClients" -}}
- podSelector:
    matchLabels:
      app.kubernetes.io/name: {{ include "swapper.name" . }}
      app.kubernetes.io/instance: {{ .Release.Name }}
    matchExpressions:
      - {key: app.kubernetes.io/component, operator: In, values: [app, web, worker, watcher]}
{{- if .Values.worker.keda.enabled }}
- namespaceSelector: {}
  podSelector:
    matchLabels: {app.kubernetes.io/name: keda-operator}
{{- end }}
{{- with .Values.networkPolicy.database.from }}
{{ toYaml . }}
{{- end }}
{{- end -}}
