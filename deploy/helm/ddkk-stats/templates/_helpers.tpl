{{- define "ddkk-stats.labels" -}}
app.kubernetes.io/name: ddkk-stats
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "ddkk-stats.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
