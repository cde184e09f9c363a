{{/* The common parts of all pods. */}}

{{/* Pod security context, merged over the one that Pod Security "restricted" requires. */}}
{{- define "swapper.podSecurity" -}}
{{- $restricted := dict "runAsNonRoot" true "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- mergeOverwrite $restricted (deepCopy (. | default dict)) | toYaml -}}
{{- end -}}

{{/* Container security context, merged over the one that Pod Security "restricted" requires. */}}
{{- define "swapper.containerSecurity" -}}
{{- $restricted := dict
  "allowPrivilegeEscalation" false
  "capabilities" (dict "drop" (list "ALL"))
  "readOnlyRootFilesystem" true
  "runAsNonRoot" true -}}
{{- mergeOverwrite $restricted (deepCopy (. | default dict)) | toYaml -}}
{{- end -}}

{{/* Metadata of a pod, without sidecars of service meshes. Arguments: list ROOT COMPONENT LABELS ANNOTATIONS. */}}
{{- define "swapper.podMetadata" -}}
{{- $root := index . 0 -}}
labels:
  {{- include "swapper.podLabels" (list $root (index . 1) (index . 2)) | nindent 2 }}
annotations:
  {{- $given := include "swapper.textMap" (list $root (index . 3)) | fromYaml }}
  {{- merge $given (dict "linkerd.io/inject" "disabled") | toYaml | nindent 2 }}
{{- end -}}

{{/* Image pull secrets, service links, node selector and tolerations. Arguments: list ROOT NODESELECTOR TOLERATIONS.
*/}}
{{- define "swapper.podBasics" -}}
{{- $root := index . 0 -}}
enableServiceLinks: false
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
nodeSelector:
  {{- $given := index . 1 | default $root.Values.nodeSelector | default dict }}
  {{- merge (deepCopy $given) (dict "kubernetes.io/os" "linux") | toYaml | nindent 2 }}
{{- with index . 2 | default $root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Affinity: replicas prefer different nodes, unless the values set another one. Arguments: list ROOT COMPONENT
AFFINITY. */}}
{{- define "swapper.affinity" -}}
affinity:
{{- if index . 2 }}
  {{- index . 2 | toYaml | nindent 2 }}
{{- else }}
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "swapper.selector" . | nindent 14 }}
{{- end }}
{{- end -}}

{{/* Topology spread constraints. One without a selector counts the pods of the role. Arguments: list ROOT COMPONENT
CONSTRAINTS. */}}
{{- define "swapper.topologySpread" -}}
{{- $own := dict "labelSelector" (dict "matchLabels" (include "swapper.selector" . | fromYaml)) -}}
{{- with index . 2 }}
topologySpreadConstraints:
  {{- range . }}
  - {{- merge (deepCopy .) $own | toYaml | nindent 4 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Whether a role can have more than one replica. Argument: the section of the role in the values. */}}
{{- define "swapper.hasReplicas" -}}
{{- $keda := .keda | default dict -}}
{{- if $keda.enabled -}}{{ gt (int $keda.minReplicas) 1 }}
{{- else if .autoscaling.enabled -}}{{ gt (int .autoscaling.minReplicas) 1 }}
{{- else -}}{{ gt (int .replicaCount) 1 }}
{{- end -}}
{{- end -}}

{{/* Probes of a role, with those of the values merged over the chart's. Arguments: list PROBES PORT SCHEME. */}}
{{- define "swapper.probes" -}}
{{- $ready := dict "httpGet" (dict "path" "/readyz" "port" (index . 1) "scheme" (index . 2)) -}}
{{- $live := dict "httpGet" (dict "path" "/livez" "port" (index . 1) "scheme" (index . 2)) -}}
{{- $ours := dict
  "startupProbe" (merge (dict "periodSeconds" 2 "failureThreshold" 60 "timeoutSeconds" 5) $live)
  "readinessProbe" (merge (dict "periodSeconds" 5 "failureThreshold" 2 "timeoutSeconds" 3) $ready)
  "livenessProbe" (merge (dict "periodSeconds" 10 "failureThreshold" 6 "timeoutSeconds" 5) $live) -}}
{{- mergeOverwrite $ours (deepCopy (index . 0 | default dict)) | toYaml -}}
{{- end -}}
