{{/* Names and labels. The fullname and the selectors are those of estahn's chart, so that an upgrade keeps its objects.
*/}}

{{- define "swapper.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "swapper.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The fullname with a suffix, with at most 52 characters, the limit of a CronJob's name. Arguments: list ROOT SUFFIX.
*/}}
{{- define "swapper.suffixed" -}}
{{- $suffix := index . 1 -}}
{{- $most := sub 51 (len $suffix) | int -}}
{{- printf "%s-%s" (include "swapper.fullname" (index . 0) | trunc $most | trimSuffix "-") $suffix -}}
{{- end -}}

{{/* The name of the objects of a role; the fullname for the webhook. Arguments: list ROOT COMPONENT. */}}
{{- define "swapper.componentName" -}}
{{- $root := index . 0 -}}
{{- if eq (index . 1) "app" -}}{{ include "swapper.fullname" $root }}{{- else -}}{{ include "swapper.suffixed" . }}{{- end -}}
{{- end -}}

{{/* A scalar as text, with numbers as they were written. */}}
{{- define "swapper.text" -}}
{{- if kindIs "invalid" . -}}
{{- else if and (kindIs "float64" .) (eq . (floor .)) -}}{{ printf "%.0f" . }}
{{- else -}}{{ toString . }}
{{- end -}}
{{- end -}}

{{/* A mapping with its values as text, evaluated by tpl. Arguments: list ROOT MAPPING. */}}
{{- define "swapper.textMap" -}}
{{- $root := index . 0 -}}
{{- range $key, $value := index . 1 }}
{{ $key }}: {{ tpl (include "swapper.text" $value) $root | quote }}
{{- end -}}
{{- end -}}

{{/* The labels that select the pods of a role. Arguments: list ROOT COMPONENT. */}}
{{- define "swapper.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "swapper.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Labels of an object. The chart's labels take precedence over commonLabels. Arguments: list ROOT COMPONENT. */}}
{{- define "swapper.labels" -}}
{{- $root := index . 0 -}}
{{- $common := include "swapper.textMap" (list $root $root.Values.commonLabels) | fromYaml -}}
{{- $own := include "swapper.selector" . | fromYaml -}}
{{- $chart := dict
  "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
  "app.kubernetes.io/version" (include "swapper.tag" $root | trunc 63 | trimSuffix "-")
  "app.kubernetes.io/managed-by" $root.Release.Service -}}
{{- mergeOverwrite (dict) $common $chart $own | toYaml -}}
{{- end -}}

{{/* Labels of a pod. `k8s-image-swapper/component` exempts the pod from the webhook. Arguments: list ROOT COMPONENT
PODLABELS. */}}
{{- define "swapper.podLabels" -}}
{{- $root := index . 0 -}}
{{- $common := include "swapper.textMap" (list $root $root.Values.commonLabels) | fromYaml -}}
{{- $extra := include "swapper.textMap" (list $root (index . 2)) | fromYaml -}}
{{- $selector := include "swapper.selector" (list $root (index . 1)) | fromYaml -}}
{{- $ours := dict "k8s-image-swapper/component" (index . 1) "sidecar.istio.io/inject" "false" -}}
{{- mergeOverwrite (dict) $common $ours $extra $selector | toYaml -}}
{{- end -}}

{{/* Metadata of an object. Arguments: list ROOT COMPONENT NAME. */}}
{{- define "swapper.metadata" -}}
name: {{ index . 2 }}
namespace: {{ (index . 0).Release.Namespace }}
labels:
  {{- include "swapper.labels" . | nindent 2 }}
{{- end -}}

{{- define "swapper.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "swapper.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* The service account of the watcher. In the all-in-one pod it is the pod's account. */}}
{{- define "swapper.watcherServiceAccount" -}}
{{- if eq (include "swapper.database" .) "sqlite" -}}{{ include "swapper.serviceAccount" . }}
{{- else -}}{{ .Values.watcher.serviceAccount.name | default (include "swapper.suffixed" (list . "watcher")) }}
{{- end -}}
{{- end -}}

{{- define "swapper.setupServiceAccount" -}}
{{- .Values.patch.serviceAccount.name | default (include "swapper.suffixed" (list . "setup")) -}}
{{- end -}}
