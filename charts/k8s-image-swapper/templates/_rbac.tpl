{{/* Pull secrets and the service accounts that name them. */}}
{{- define "swapper.secretReaderRules" -}}
- apiGroups: [""]
  resources: [secrets]
  {{- with .Values.secretReader.secretNames }}
  resourceNames: {{ toJson . }}
  {{- end }}
  verbs: [get]
- {apiGroups: [""], resources: [serviceaccounts], verbs: [get]}
{{- end -}}

{{/* Names of the Secrets that `passwordSecret` in the configuration names, separated by commas. */}}
{{- define "swapper.passwordSecrets" -}}
{{- $names := list -}}
{{- $config := include "swapper.config" . | fromYaml -}}
{{- range $section, $source := $config -}}
  {{- if eq (lower $section) "source" -}}
    {{- range $key, $registries := $source -}}
      {{- if eq (lower $key) "registries" -}}
        {{- range $registry := $registries -}}
          {{- $secret := include "swapper.find" (list $registry "passwordsecret") | splitList "/" | first -}}
          {{- $names = append $names $secret -}}
        {{- end -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- $names | compact | uniq | sortAlpha | join "," -}}
{{- end -}}
