{{- define "training-sandbox.name" -}}
{{- .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "training-sandbox.fullname" -}}
{{- if contains .Chart.Name .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "training-sandbox.selectorLabels" -}}
app.kubernetes.io/name: {{ include "training-sandbox.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "training-sandbox.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "training-sandbox.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "training-sandbox.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "training-sandbox.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- required "serviceAccount.name is needed when serviceAccount.create is false" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "training-sandbox.image" -}}
{{- with .Values.image.digest }}
{{- printf "%s@%s" $.Values.image.repository . }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{- /* An upgrade with --reuse-values has none of the values that are new. */ -}}
{{- define "training-sandbox.replicas" -}}
{{- if kindIs "invalid" .Values.replicas }}2{{ else }}{{ .Values.replicas }}{{ end }}
{{- end }}

{{- define "training-sandbox.auth" -}}
{{- $auth := default dict .Values.auth }}
{{- if ne (toString $auth.enabled) "false" }}true{{ end }}
{{- end }}

{{- define "training-sandbox.leaderPolicy" -}}
{{- $policy := default dict .Values.leaderPolicy }}
{{- if ne (toString $policy.enabled) "false" }}true{{ end }}
{{- end }}

{{- /* Where the doors of instances are: a JSON array. */ -}}
{{- define "training-sandbox.instanceNamespaces" -}}
{{- toJson (.Values.instanceNamespaces | default .Values.watchNamespaces | default (list .Release.Namespace)) }}
{{- end }}

{{- /* Pods that are not those of instances. */ -}}
{{- define "training-sandbox.otherPods" -}}
matchExpressions:
  - {key: trainingsandbox.dev/env-type, operator: DoesNotExist}
{{- end }}

{{- /* Both containers of this chart run under the rules of Pod Security "restricted". */ -}}
{{- define "training-sandbox.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "training-sandbox.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}
