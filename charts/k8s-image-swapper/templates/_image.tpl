{{/* Images. If the values name estahn's public image or one of its releases, this chart's image is used. */}}

{{- define "swapper.ownRepository" -}}
ghcr.io/k8s-image-swapper/k8s-image-swapper
{{- end -}}

{{/* "true" if the repository is estahn's public one. */}}
{{- define "swapper.namesUpstream" -}}
{{- regexMatch "^((ghcr|docker)\\.io/)?estahn/k8s-image-swapper$" .Values.image.repository -}}
{{- end -}}

{{/* "true" if the tag is a release of estahn's image (1.x). */}}
{{- define "swapper.tagIsUpstream" -}}
{{- regexMatch "^v?1\\.[0-9]+(\\.[0-9]+)?([-+].*)?$" (include "swapper.text" .Values.image.tag) -}}
{{- end -}}

{{/* "true" if the image in the values is replaced by this chart's image. */}}
{{- define "swapper.imageIsReplaced" -}}
{{- $isOwn := eq .Values.image.repository (include "swapper.ownRepository" .) -}}
{{- if eq (include "swapper.namesUpstream" .) "true" -}}true
{{- else if and $isOwn (eq (include "swapper.tagIsUpstream" .) "true") -}}true
{{- end -}}
{{- end -}}

{{- define "swapper.tag" -}}
{{- if include "swapper.imageIsReplaced" . -}}
{{- .Chart.AppVersion -}}
{{- else -}}
{{- include "swapper.text" .Values.image.tag | default .Chart.AppVersion -}}
{{- end -}}
{{- end -}}

{{- define "swapper.image" -}}
{{- if include "swapper.imageIsReplaced" . -}}
{{- printf "%s:%s" (include "swapper.ownRepository" .) .Chart.AppVersion -}}
{{- else -}}
{{- include "swapper.reference" (list .Values.image.repository (include "swapper.tag" .) .Values.image.digest) -}}
{{- end -}}
{{- end -}}

{{/* An image reference. Arguments: list REPOSITORY TAG DIGEST. */}}
{{- define "swapper.reference" -}}
{{- $digest := index . 2 -}}
{{- if $digest -}}{{ printf "%s@%s" (index . 0) $digest }}{{- else -}}{{ printf "%s:%s" (index . 0) (index . 1) }}{{- end -}}
{{- end -}}
