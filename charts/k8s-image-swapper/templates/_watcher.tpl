{{/* The watcher: whether it is installed, its permissions, and the namespaces that it reads. */}}

{{/* "true" if the cluster is watched, which both the chart's value and the configuration must enable. */}}
{{- define "swapper.watches" -}}
{{- $config := include "swapper.config" . | fromYaml -}}
{{- if ne (include "swapper.find" (list $config "watcher.enabled")) "false" -}}true{{- end -}}
{{- end -}}

{{/* "true" if the watcher has its own pods. */}}
{{- define "swapper.hasWatcherPods" -}}
{{- if ne (include "swapper.database" .) "sqlite" -}}{{ include "swapper.watches" . }}{{- end -}}
{{- end -}}

{{/* Set watcher.enabled to false in the configuration, in place. The keys are not case-sensitive. */}}
{{- define "swapper.switchWatcherOff" -}}
{{- $section := include "swapper.knownName" (list "watcher" (keys .)) | default "watcher" -}}
{{- $watcher := get . $section | default dict -}}
{{- $key := include "swapper.knownName" (list "enabled" (keys $watcher)) | default "enabled" -}}
{{- $_ := set . $section (set $watcher $key false) -}}
{{- end -}}

{{/* Namespaces to watch, as a JSON list; empty for all. */}}
{{- define "swapper.watchedNamespaces" -}}
{{- $config := include "swapper.config" . | fromYaml -}}
{{- $watcher := get $config (include "swapper.knownName" (list "watcher" (keys $config))) | default dict -}}
{{- $namespaces := get $watcher (include "swapper.knownName" (list "namespaces" (keys $watcher))) | default list -}}
{{- $namespaces | uniq | toJson -}}
{{- end -}}

{{- define "swapper.watchVerbs" -}}[get, list, watch]{{- end -}}

{{/* Rules for pods and workloads. */}}
{{- define "swapper.workloadRules" -}}
- {apiGroups: [""], resources: [pods], verbs: {{ include "swapper.watchVerbs" . }}}
- apiGroups: [apps]
  resources: [deployments, statefulsets, daemonsets, replicasets]
  verbs: {{ include "swapper.watchVerbs" . }}
- {apiGroups: [batch], resources: [jobs, cronjobs], verbs: {{ include "swapper.watchVerbs" . }}}
{{- end -}}

{{/* Rules for objects without a namespace. The webhook configuration and the labels of namespaces determine which pods
are sent to the webhook. */}}
{{- define "swapper.nodeRules" -}}
- {apiGroups: [""], resources: [nodes], verbs: {{ include "swapper.watchVerbs" . }}}
- {apiGroups: [""], resources: [namespaces], verbs: [get]}
- apiGroups: [admissionregistration.k8s.io]
  resources: [mutatingwebhookconfigurations]
  resourceNames: [{{ include "swapper.fullname" . }}]
  verbs: [get]
{{- end -}}
