{{- define "aerodrome-monitoring.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: aerodrome
{{- end }}

{{- /* The share of bad events of a service level in a window. Without any event it is 0, and not 0/0. */}}
{{- define "aerodrome-monitoring.errors" -}}
{{- printf "sum_over_time(aerodrome:slo_bad:rate5m{slo=%q}[%s]) / clamp_min(sum_over_time(aerodrome:slo_events:rate5m{slo=%q}[%s]), 1e-9)" .slo .window .slo .window | squote }}
{{- end }}
