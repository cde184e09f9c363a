{{/* The configuration file. Keys match in any case of letters, as the application has it; files/config-keys.yaml is
generated from the application's models. */}}

{{/* The configuration as the ConfigMap has it, or a failure that names what is wrong. */}}
{{- define "swapper.config" -}}
{{- $keys := .Files.Get "files/config-keys.yaml" | fromYaml -}}
{{- $config := include "swapper.withoutShadowed" (list .Values.config $keys.defaults) | fromYaml -}}
{{- include "swapper.checkKeys" (list $config "" $keys) -}}
{{- include "swapper.accountsAsText" $config -}}
{{- if not .Values.watcher.enabled -}}{{- include "swapper.switchWatcherOff" $config -}}{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* Without the chart's defaults of keys that the user spelled differently: list VALUES DEFAULTS. */}}
{{- define "swapper.withoutShadowed" -}}
{{- $values := index . 0 -}}
{{- $defaults := index . 1 -}}
{{- $spellings := include "swapper.countSpellings" $values | fromYaml -}}
{{- $kept := dict -}}
{{- range $key, $value := $values -}}
  {{- $default := get $defaults $key -}}
  {{- $isDefault := and (hasKey $defaults $key) (eq (toJson $value) (toJson $default)) -}}
  {{- if and $isDefault (gt (get $spellings (lower $key) | int) 1) -}}
    {{/* Left out. */}}
  {{- else if and (kindIs "map" $value) (kindIs "map" $default) -}}
    {{- $_ := set $kept $key (include "swapper.withoutShadowed" (list $value $default) | fromYaml) -}}
  {{- else -}}
    {{- $_ := set $kept $key $value -}}
  {{- end -}}
{{- end -}}
{{- toYaml $kept -}}
{{- end -}}

{{/* How many spellings a mapping has of each key, by the key in lower case. */}}
{{- define "swapper.countSpellings" -}}
{{- $counts := dict -}}
{{- range $key := keys . -}}
  {{- $_ := set $counts (lower $key) (add1 (get $counts (lower $key) | default 0 | int)) -}}
{{- end -}}
{{- toYaml $counts -}}
{{- end -}}

{{/* Fail on an unknown key, or on one that is given twice: list VALUES PATH KEYS. */}}
{{- define "swapper.checkKeys" -}}
{{- $values := index . 0 -}}
{{- $path := index . 1 -}}
{{- $keys := index . 2 -}}
{{- $known := get $keys.sections $path -}}
{{- $ignored := include "swapper.sectionsNotChosen" (list $values $path $keys) | splitList "," -}}
{{- range $key, $count := include "swapper.countSpellings" $values | fromYaml -}}
  {{- if gt (int $count) 1 -}}
    {{- fail (printf "\n\nconfig.%s: is set twice, in two spellings: keys match in any case of letters. Keep one of them." (include "swapper.path" (list $path $key))) -}}
  {{- end -}}
{{- end -}}
{{- range $key, $value := $values -}}
  {{- if not (has (lower $key) $ignored) -}}
    {{- $name := include "swapper.knownName" (list $key $known) -}}
    {{- if not $name -}}
      {{- fail (printf "\n\nconfig.%s: %s. All keys: docs/configuration.md" (include "swapper.path" (list $path $key)) (include "swapper.hint" (list $key $path $keys))) -}}
    {{- end -}}
    {{- include "swapper.checkValue" (list $value (include "swapper.path" (list $path $name)) $keys) -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{/* Look at the keys of a mapping, or of each mapping of a list: list VALUE PATH KEYS. */}}
{{- define "swapper.checkValue" -}}
{{- $value := index . 0 -}}
{{- $path := index . 1 -}}
{{- $keys := index . 2 -}}
{{- if and (kindIs "map" $value) (hasKey $keys.sections $path) -}}
  {{- include "swapper.checkKeys" . -}}
{{- else if and (kindIs "slice" $value) (hasKey $keys.sections (printf "%s[]" $path)) -}}
  {{- range $item := $value -}}
    {{- if kindIs "map" $item -}}{{- include "swapper.checkKeys" (list $item (printf "%s[]" $path) $keys) -}}{{- end -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{/* list PATH KEY */}}
{{- define "swapper.path" -}}
{{- if index . 0 -}}{{ printf "%s.%s" (index . 0) (index . 1) }}{{- else -}}{{ index . 1 }}{{- end -}}
{{- end -}}

{{/* A key as the application spells it, empty for an unknown one: list KEY NAMES. */}}
{{- define "swapper.knownName" -}}
{{- $key := lower (index . 0) -}}
{{- range $name := index . 1 -}}{{- if eq (lower $name) $key -}}{{ $name }}{{- end -}}{{- end -}}
{{- end -}}

{{/* Sections of registries beside the one that `type` names; the application ignores them: list VALUES PATH KEYS. */}}
{{- define "swapper.sectionsNotChosen" -}}
{{- $keys := index . 2 -}}
{{- $defaultType := get $keys.chosenByType (index . 1) -}}
{{- if hasKey $keys.chosenByType (index . 1) -}}
  {{- $type := include "swapper.find" (list (index . 0) "type") | default $defaultType -}}
  {{- without $keys.registryTypes $type | join "," -}}
{{- end -}}
{{- end -}}

{{/* A key's value as text, whatever case its letters have: list VALUES PATH-IN-LOWER-CASE. */}}
{{- define "swapper.find" -}}
{{- $values := index . 0 -}}
{{- $first := index . 1 | splitList "." | first -}}
{{- $rest := index . 1 | splitList "." | rest | join "." -}}
{{- range $key, $value := $values -}}
  {{- if eq (lower $key) $first -}}
    {{- if and $rest (kindIs "map" $value) -}}{{- include "swapper.find" (list $value $rest) -}}
    {{- else if not $rest -}}{{- include "swapper.text" $value -}}{{- end -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{/* Account numbers as text of 12 digits, in place: YAML drops leading zeros. */}}
{{- define "swapper.accountsAsText" -}}
{{- $values := . -}}
{{- range $key, $value := $values -}}
  {{- if and (eq (lower $key) "accountid") (or (kindIs "float64" $value) (kindIs "int64" $value)) -}}
    {{- $_ := set $values $key (printf "%012.0f" (float64 $value)) -}}
  {{- else if kindIs "map" $value -}}
    {{- include "swapper.accountsAsText" $value -}}
  {{- else if kindIs "slice" $value -}}
    {{- range $item := $value -}}{{- if kindIs "map" $item -}}{{- include "swapper.accountsAsText" $item -}}{{- end -}}{{- end -}}
  {{- end -}}
{{- end -}}
{{- end -}}
