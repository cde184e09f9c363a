{{/* HorizontalPodAutoscaler of a role. Arguments: list ROOT COMPONENT BLOCK. */}}
{{- define "swapper.hpa" -}}
{{- $name := include "swapper.componentName" . -}}
{{- $scaling := (index . 2).autoscaling -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "swapper.metadata" (list (index . 0) (index . 1) $name) | nindent 2 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ $name }}}
  minReplicas: {{ $scaling.minReplicas }}
  maxReplicas: {{ $scaling.maxReplicas }}
  metrics:
    {{- range $resource, $percent := dict "cpu" $scaling.targetCPUUtilizationPercentage "memory" $scaling.targetMemoryUtilizationPercentage }}
    {{- if $percent }}
    - type: Resource
      resource:
        name: {{ $resource }}
        target: {type: Utilization, averageUtilization: {{ $percent }}}
    {{- end }}
    {{- end }}
---
{{ end -}}

{{/* PodDisruptionBudget of a role. Arguments: list ROOT COMPONENT BLOCK. */}}
{{- define "swapper.pdb" -}}
{{- $block := index . 2 -}}
{{- $isAuto := eq (toString $block.pdb.enabled) "auto" -}}
{{- if or (eq (toString $block.pdb.enabled) "true") (and $isAuto (eq (include "swapper.hasReplicas" $block) "true")) -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "swapper.metadata" (list (index . 0) (index . 1) (include "swapper.componentName" .)) | nindent 2 }}
spec:
  {{- $least := include "swapper.text" $block.pdb.minAvailable }}
  minAvailable: {{ ternary $least (quote $least) (regexMatch "^[0-9]+$" $least) }}
  selector:
    matchLabels:
      {{- include "swapper.selector" . | nindent 6 }}
---
{{ end -}}
{{- end -}}
