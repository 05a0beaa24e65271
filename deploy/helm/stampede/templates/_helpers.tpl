{{- define "stampede.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "stampede.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "stampede.labels" -}}
{{ include "stampede.selector" . }}
app.kubernetes.io/part-of: stampede
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "stampede.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "stampede.secret.client" -}}
{{ .Values.tokens.existingClientSecret | default (printf "%s-client-tokens" (include "stampede.name" .)) }}
{{- end }}
{{- define "stampede.secret.agent" -}}
{{ .Values.tokens.existingAgentSecret | default (printf "%s-agent-tokens" (include "stampede.name" .)) }}
{{- end }}
{{- define "stampede.secret.metrics" -}}
{{ .Values.tokens.existingMetricsSecret | default (printf "%s-metrics-token" (include "stampede.name" .)) }}
{{- end }}

{{- /* What every pod has. */ -}}
{{- define "stampede.pod" -}}
serviceAccountName: {{ include "stampede.name" . }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- /* What every container has. */ -}}
{{- define "stampede.container" -}}
image: {{ include "stampede.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}
