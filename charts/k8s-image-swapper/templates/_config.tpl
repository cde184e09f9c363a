{{/* The configuration file. Keys are not case-sensitive, as in the application. files/config-keys.yaml is generated
from the application's models. */}}

{{/* The configuration for the ConfigMap. Fails with a message if the configuration is not valid. */}}
{{- define "swapper.config" -}}
{{- $keys := .Files.Get "files/config-keys.yaml" | fromYaml -}}
{{- $config := include "swapper.withoutShadowed" (list .Values.config $keys.defaults) | fromYaml -}}
{{- include "swapper.checkKeys" (list $config "" $keys) -}}
{{- include "swapper.accountsAsText" $config -}}
{{- if not .Values.watcher.enabled -}}{{- include "swapper.switchWatcherOff" $config -}}{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* The values without the chart's defaults of keys that the user spelled in a different case. Arguments: list VALUES
DEFAULTS. */}}
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

{{/* The number of spellings of each key in a mapping, by the key in lower case. */}}
{{- define "swapper.countSpellings" -}}
{{- $counts := dict -}}
{{- range $key := keys . -}}
  {{- $_ := set $counts (lower $key) (add1 (get $counts (lower $key) | default 0 | int)) -}}
{{- end -}}
{{- toYaml $counts -}}
{{- end -}}

{{/* Fail on an unknown key, or on a key that is set twice. Arguments: list VALUES PATH KEYS. */}}
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

{{/* Check the keys of a mapping, or of each mapping in a list. Arguments: list VALUE PATH KEYS. */}}
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

{{/* The path of a key. Arguments: list PATH KEY. */}}
{{- define "swapper.path" -}}
{{- if index . 0 -}}{{ printf "%s.%s" (index . 0) (index . 1) }}{{- else -}}{{ index . 1 }}{{- end -}}
{{- end -}}

{{/* A key in the application's spelling; empty for an unknown key. Arguments: list KEY NAMES. */}}
{{- define "swapper.knownName" -}}
{{- $key := lower (index . 0) -}}
{{- range $name := index . 1 -}}{{- if eq (lower $name) $key -}}{{ $name }}{{- end -}}{{- end -}}
{{- end -}}

{{/* Sections of registry types other than `type`, which the application ignores. Arguments: list VALUES PATH KEYS. */}}
{{- define "swapper.sectionsNotChosen" -}}
{{- $keys := index . 2 -}}
{{- $defaultType := get $keys.chosenByType (index . 1) -}}
{{- if hasKey $keys.chosenByType (index . 1) -}}
  {{- $type := include "swapper.find" (list (index . 0) "type") | default $defaultType -}}
  {{- without $keys.registryTypes $type | join "," -}}
{{- end -}}
{{- end -}}

{{/* The value of a key as text; the key is not case-sensitive. Arguments: list VALUES PATH-IN-LOWER-CASE. */}}
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

{{/* Convert account numbers to text of 12 digits, in place, because YAML drops leading zeros. */}}
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
