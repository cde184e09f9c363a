{{/* Annotations of objects that are created before the pod of helm test and deleted with it. */}}
{{- define "swapper.testHook" -}}
annotations:
  helm.sh/hook: test
  helm.sh/hook-weight: "-1"
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}
