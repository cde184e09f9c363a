{{/* Suggestions for unknown keys. */}}

{{/* The hint for an unknown key. Arguments: list KEY PATH KEYS. */}}
{{- define "swapper.hint" -}}
{{- $key := lower (index . 0) -}}
{{- $keys := index . 2 -}}
{{- $here := get $keys.sections (index . 1) -}}
{{- $near := include "swapper.nearest" (list $key $here) -}}
{{- $elsewhere := include "swapper.elsewhere" (list $key $keys) -}}
{{- if hasKey $keys.hints $key -}}
{{- get $keys.hints $key -}}
{{- else if $near -}}
{{- printf "is an unknown key; did you mean %s?" $near -}}
{{- else if $elsewhere -}}
{{- printf "is an unknown key here; there is config.%s" $elsewhere -}}
{{- else -}}
{{- printf "is an unknown key; valid keys: %s" (join ", " $here) -}}
{{- end -}}
{{- end -}}

{{/* The name that shares most pairs of letters with a key; empty if the similarity (Dice's coefficient) is less than a
half. Arguments: list KEY-IN-LOWER-CASE NAMES. */}}
{{- define "swapper.nearest" -}}
{{- $key := index . 0 -}}
{{- $best := "" -}}
{{- $bestScore := 499 -}}
{{- range $name := index . 1 -}}
  {{- $score := include "swapper.similarity" (list $key (lower $name)) | int -}}
  {{- if gt $score $bestScore -}}
    {{- $best = $name -}}
    {{- $bestScore = $score -}}
  {{- end -}}
{{- end -}}
{{- $best -}}
{{- end -}}

{{/* The similarity of two texts, from 0 to 1000. Arguments: list TEXT TEXT. */}}
{{- define "swapper.similarity" -}}
{{- $first := index . 0 -}}
{{- $second := index . 1 -}}
{{- $pairs := max 1 (sub (add (len $first) (len $second)) 2) -}}
{{- $shared := 0 -}}
{{- range $start := until (max 0 (sub (len $first) 1) | int) -}}
  {{- if contains (substr $start (int (add $start 2)) $first) $second -}}{{- $shared = add1 $shared -}}{{- end -}}
{{- end -}}
{{- div (mul 2000 $shared) $pairs -}}
{{- end -}}

{{/* The shortest path of a key with this name. Arguments: list KEY-IN-LOWER-CASE KEYS. */}}
{{- define "swapper.elsewhere" -}}
{{- $key := index . 0 -}}
{{- $found := "" -}}
{{- range $path, $names := (index . 1).sections -}}
  {{- $name := include "swapper.knownName" (list $key $names) -}}
  {{- $here := include "swapper.path" (list $path $name) -}}
  {{- if and $name (or (not $found) (lt (len $here) (len $found))) -}}{{- $found = $here -}}{{- end -}}
{{- end -}}
{{- $found -}}
{{- end -}}
