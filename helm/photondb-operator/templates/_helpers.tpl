{{- define "photondb-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The name of the release, followed by that of the chart unless the release name contains it. */}}
{{- define "photondb-operator.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains (include "photondb-operator.name" .) .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "photondb-operator.name" .) | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* Cluster-scoped names contain the namespace, so that operators in two namespaces do not share them. */}}
{{- define "photondb-operator.clusterName" -}}
{{- printf "%s:%s" .Release.Namespace (include "photondb-operator.fullname" .) }}
{{- end }}

{{- define "photondb-operator.selector" -}}
app.kubernetes.io/name: {{ include "photondb-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{/* Helm adds managed-by on install, so that plain manifests rendered from this chart do not claim it. */}}
{{- define "photondb-operator.labels" -}}
{{ include "photondb-operator.selector" . }}
app.kubernetes.io/part-of: photondb
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{- define "photondb-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "photondb-operator.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- required "serviceAccount.name is needed when serviceAccount.create is false" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "photondb-operator.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end }}
