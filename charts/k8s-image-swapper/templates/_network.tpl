{{/* Who may connect to what, as `from` of a NetworkPolicy. */}}

{{/* Rules for one port; none where nobody may connect: list PORT-NAME PEERS. */}}
{{- define "swapper.ingressRules" -}}
{{- with index . 1 -}}
- ports: [{port: {{ index $ 0 }}, protocol: TCP}]
  from:
    {{- toYaml . | nindent 4 }}
{{- end }}
{{- end -}}

{{/* `ingress` with these rules. An empty list is left out: API servers do not store it, and GitOps tools see a change. */}}
{{- define "swapper.ingress" -}}
{{- with include "swapper.ingressRules" . -}}
ingress:
  {{- . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Users of web: those that are named; else all where an ingress or a gateway leads there. */}}
{{- define "swapper.visitors" -}}
{{- if .Values.networkPolicy.web.from -}}
{{- toYaml .Values.networkPolicy.web.from -}}
{{- else if or .Values.web.ingress.enabled .Values.web.httpRoute.enabled -}}
- namespaceSelector: {}
{{- else -}}
[]
{{- end -}}
{{- end -}}

{{/* Readers of metrics: those that are named; else Prometheus, where there is a monitor. */}}
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

{{/* Clients of the bundled Postgres: webhook, web, worker, watcher, KEDA and those that are named. */}}
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
