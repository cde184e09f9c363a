{{/* Rules to read pull secrets, and the service accounts that refer to them. */}}
{{- define "swapper.secretReaderRules" -}}
- apiGroups: [""]
  resources: [secrets]
  {{- with .Values.secretReader.secretNames }}
  resourceNames: {{ toJson . }}
  {{- end }}
  verbs: [get]
- {apiGroups: [""], resources: [serviceaccounts], verbs: [get]}
{{- end -}}

{{/* Names of the Secrets that `passwordSecret` in the configuration refers to, separated by commas. */}}
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

{{/* Rules of the set-up in its namespace. The permission to create cannot be limited to names. */}}
{{- define "swapper.setupRules" -}}
{{- $names := include "swapper.madeSecrets" . | splitList "," | compact -}}
{{- $active := include "swapper.activeRole" . -}}
{{- if $names -}}
- {apiGroups: [""], resources: [secrets], verbs: [create]}
- apiGroups: [""]
  resources: [secrets]
  resourceNames: {{ append $names (include "swapper.appSecret" .) | uniq | toJson }}
  verbs: [get]
{{- end }}
{{- if eq (include "swapper.tls" .) "job" }}
- {apiGroups: [""], resources: [secrets], resourceNames: [{{ include "swapper.tlsSecret" . }}], verbs: [patch]}
{{- end }}
{{- if include "swapper.isActivated" . }}
- {apiGroups: [rbac.authorization.k8s.io], resources: [roles], resourceNames: [{{ $active }}], verbs: [bind]}
- {apiGroups: [rbac.authorization.k8s.io], resources: [rolebindings], resourceNames: [{{ $active }}], verbs: [get]}
- {apiGroups: [rbac.authorization.k8s.io], resources: [rolebindings], verbs: [create]}
{{- end }}
{{- end -}}

{{/* Verbs of the set-up on the webhook configuration: it writes caBundle, and reads the address of the webhook. */}}
{{- define "swapper.registrationVerbs" -}}
{{- if eq (include "swapper.tls" .) "job" }}[get, patch]
{{- else if include "swapper.isActivated" . }}[get]
{{- else }}[]
{{- end }}
{{- end -}}
