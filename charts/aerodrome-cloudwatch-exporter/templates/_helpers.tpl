{{- define "aerodrome-cloudwatch-exporter.selector" -}}
app.kubernetes.io/name: cloudwatch-exporter
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "aerodrome-cloudwatch-exporter.labels" -}}
{{ include "aerodrome-cloudwatch-exporter.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: aerodrome
{{- end }}

{{- define "aerodrome-cloudwatch-exporter.config" -}}
apiVersion: v1alpha1
# The region's own endpoint: the global one is reached over the internet alone.
sts-region: {{ .Values.region }}
static: {{ .Values.static | toJson }}
customNamespace: {{ .Values.customNamespace | toJson }}
{{- end }}
