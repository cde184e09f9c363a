{{/* Templates of estahn's chart, which existing values may use in extraManifestsTemplated and commonLabels. */}}

{{- define "k8s-image-swapper.name" -}}{{ include "swapper.name" . }}{{- end -}}
{{- define "k8s-image-swapper.fullname" -}}{{ include "swapper.fullname" . }}{{- end -}}
{{- define "k8s-image-swapper.labels" -}}{{ include "swapper.labels" (list . "app") }}{{- end -}}
{{- define "k8s-image-swapper.selectorLabels" -}}{{ include "swapper.selector" (list . "app") }}{{- end -}}
{{- define "k8s-image-swapper.serviceAccountName" -}}{{ include "swapper.serviceAccount" . }}{{- end -}}
{{- define "k8s-image-swapper.chart" -}}
{{- printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" -}}
{{- end -}}
