{{- define "photondb-cluster.name" -}}
{{- $name := default .Release.Name .Values.name -}}
{{- if gt (len $name) 24 -}}
{{- fail (printf "the cluster's name %q has %d characters, at most 24 are allowed: set the value name" $name (len $name)) -}}
{{- end -}}
{{- $name -}}
{{- end }}

{{/* Omits empty values: the API server applies its defaults. */}}
{{- define "photondb-cluster.spec" -}}
version: {{ default .Chart.AppVersion .Values.version | quote }}
{{- range $field := list "image" "pools" "security" "volumes" "config" }}
{{- with index $.Values $field }}
{{ $field }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}
