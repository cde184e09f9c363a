{{/* The warnings of NOTES.txt. Arguments: list ROOT CONFIG. */}}
{{- define "swapper.notesWarnings" -}}
{{- $root := index . 0 -}}
{{- $values := $root.Values -}}
{{- range include "swapper.unknownValues" $root | splitList "\n" | compact }}
WARNING: {{ . }}
{{- end }}
{{- if include "swapper.imageIsReplaced" $root }}
WARNING: image.repository or image.tag refers to estahn/k8s-image-swapper, which cannot run this chart.
         {{ include "swapper.image" $root }} is used instead. Remove image.repository and image.tag from your values.
{{- end }}
{{- with include "swapper.find" (list (index . 1) "target.aws.accountid") }}
{{- if and (eq . "12345678") (ne (include "swapper.find" (list (index $ 1) "target.type") | default "aws") "gcp") (ne (include "swapper.find" (list (index $ 1) "target.type") | default "aws") "oci") }}
WARNING: config.target.aws.accountId is the placeholder 12345678. No image can be mirrored until you set your own ID (12 digits, in quotes).
{{- else if hasPrefix "0" . }}
NOTE: config.target.aws.accountId is {{ . }}. Put it in quotes: YAML drops leading zeros of numbers, or reads them as octal.
{{- end }}
{{- end }}
{{- if and (eq (include "swapper.database" $root) "postgresql") (not $values.postgresql.persistence.enabled) }}
WARNING: The bundled Postgres has no volume. A restart of its pod loses the history and the state of images; swapping
         continues, because the target is checked instead. To keep them, set postgresql.persistence.enabled=true, or use
         externalDatabase.
{{- end }}
{{- if and (eq (include "swapper.database" $root) "sqlite") (hasKey $values.sqlite.volume "emptyDir") (eq (len $values.sqlite.volume) 1) }}
WARNING: The SQLite database is lost with its pod. To keep it, set sqlite.volume.persistentVolumeClaim.claimName.
{{- end }}
{{- if and (eq (toString $values.pdb.enabled) "true") (ne (include "swapper.hasReplicas" $values) "true") }}
WARNING: pdb.enabled with one replica keeps nodes from being drained. Set replicaCount to 2 or more.
{{- end }}
{{- if include "swapper.isActivated" $root }}
NOTE: Under failurePolicy Fail, API servers call the webhook once it has answered the set-up Job. From then on, new pods are
      refused while no webhook responds. In an outage, this command lets pods start until the set-up runs again:
        kubectl --namespace {{ $root.Release.Namespace }} delete rolebinding {{ include "swapper.activeRole" $root }}
{{- else if eq $values.webhook.failurePolicy "Fail" }}
NOTE: Under failurePolicy Fail, new pods are refused while no webhook responds, also until the first one is ready.
{{- end }}
{{- if and (hasPrefix "https:" (include "swapper.externalUrl" $root)) (not $values.web.trustedProxies) }}
NOTE: web.trustedProxies is empty. Set it to the networks of the proxy that terminates TLS, such as 10.0.0.0/8; until
      then, pages show an error that names the proxy.
{{- end }}
{{- if not $values.webhook.swap }}
WARNING: webhook.swap is false: nothing is swapped.
{{- end }}
{{- if $values.dev.enabled }}
WARNING: dev.enabled: the API server calls {{ $values.dev.webhookURL }}, not the pods of this release.
{{- end }}
{{ end -}}

{{/* One line for each unknown key at the top level of the values. */}}
{{- define "swapper.unknownValues" -}}
{{- $known := (.Files.Get "files/config-keys.yaml" | fromYaml).values -}}
{{- range $key := keys .Values | sortAlpha -}}
  {{- if not (has $key (append $known "global")) -}}
    {{- $near := include "swapper.nearest" (list (lower $key) $known) }}
{{ printf "The value %s is unknown and has no effect%s." $key (ternary "" (printf "; did you mean %s?" $near) (eq $near "")) }}
  {{- end -}}
{{- end -}}
{{- end -}}
