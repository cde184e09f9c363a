{{/* What to write in place of an unknown key. */}}

{{/* list KEY PATH KEYS */}}
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

{{/* The name that shares most pairs of letters with a key, if they are half of both (Dice's coefficient):
list KEY-IN-LOWER-CASE NAMES. */}}
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

{{/* 0 to 1000: list TEXT TEXT. */}}
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

{{/* Where a key of this name is, by the shortest path: list KEY-IN-LOWER-CASE KEYS. */}}
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
