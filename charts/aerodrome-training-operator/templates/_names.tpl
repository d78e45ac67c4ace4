{{- define "training-operator.labels" -}}
app.kubernetes.io/name: training-operator
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: aerodrome
{{- end }}
{{- /* What selects its pods. It never changes: a Deployment's selector cannot. */}}
{{- define "training-operator.selector" -}}
app.kubernetes.io/name: training-operator
{{- end }}
{{- /* What the replicas agree by which of them works. */}}
{{- define "training-operator.lease" -}}
training-operator
{{- end }}
