{{- /* The program's settings file: what other values say, and .Values.settings beside it. */ -}}

{{- define "cpr-operator.settings" -}}
{{- $settings := include "cpr-operator.settings.known" . | fromYaml -}}
{{- range $section, $keys := .Values.settings }}
  {{- $known := get $settings $section | default dict }}
  {{- range $key, $_ := $keys }}
    {{- if hasKey $known $key }}
      {{- fail (printf "settings.%s.%s is set by another value of the chart: see docs/values.md" $section $key) }}
    {{- end }}
  {{- end }}
{{- end }}
{{- $settings = mergeOverwrite $settings (deepCopy .Values.settings) -}}
{{- /* YAML's numbers come as floats, and TOML would write them so. */ -}}
{{- range $section, $keys := $settings }}
  {{- range $key, $value := $keys }}
    {{- if and (kindIs "float64" $value) (eq (floor $value) $value) }}{{ $_ := set $keys $key (int64 $value) }}{{ end }}
  {{- end }}
{{- end }}
{{- toToml $settings -}}
{{- end -}}

{{- define "cpr-operator.settings.known" -}}
store:
  path: /var/lib/cpr-operator/store
  {{- if .Values.rootKey.existingSecret }}
  root_key_file: /etc/cpr-operator/keys/root
  {{- end }}
{{- if .Values.database.existingSecret }}
database:
  {{- include "cpr-operator.settings.database" . | nindent 2 }}
{{- end }}
operator:
  namespaces: {{ include "cpr-operator.watched" . }}
  lease_namespace: {{ include "cpr-operator.namespace" . }}
  lease_name: {{ include "cpr-operator.fullname" . }}
  lease_duration: {{ .Values.leaderElection.leaseDuration | quote }}
  concurrency: {{ .Values.concurrency }}
admin:
  socket: /run/cpr-operator/admin.sock
http:
  listen: {{ printf "%s:%d" .Values.http.address (int .Values.http.port) | quote }}
log:
  filter: {{ .Values.logLevel | quote }}
{{- if eq .Values.mode "Cluster" }}
workers:
  {{- include "cpr-operator.settings.workers" . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "cpr-operator.settings.database" -}}
url_file: /etc/cpr-operator/database/url
{{- if .Values.database.keys.existingSecret }}
keys_url_file: /etc/cpr-operator/database/keysUrl
{{- end }}
{{- if .Values.database.listenUrl }}
listen_url_file: /etc/cpr-operator/database/listenUrl
{{- end }}
pooler: {{ .Values.database.pooler }}
{{- if .Values.database.loginPerConsumer }}
login_per_consumer: true
{{- end }}
{{- end -}}

{{- define "cpr-operator.settings.workers" -}}
image: {{ include "cpr-operator.image" . | quote }}
pull_policy: {{ .Values.image.pullPolicy }}
{{- $secrets := list }}
{{- range .Values.imagePullSecrets }}{{ $secrets = append $secrets .name }}{{ end }}
pull_secrets: {{ toJson $secrets }}
namespace: {{ include "cpr-operator.namespace" . }}
anchor: {{ include "cpr-operator.anchorName" . }}
settings_config_map: {{ include "cpr-operator.settingsName" . }}
database_secret: {{ .Values.database.existingSecret }}
{{- if not (has .Values.database.keys.existingSecret (list "" .Values.database.existingSecret)) }}
keys_database_secret: {{ .Values.database.keys.existingSecret }}
{{- end }}
{{- with .Values.database.caBundle }}
{{- if .existingConfigMap }}
database_ca_config_map: {{ .existingConfigMap }}
database_ca_key: {{ .key }}
{{- end }}
{{- end }}
root_key_secret: {{ .Values.rootKey.existingSecret }}
max_rolling: {{ .Values.workers.maxRolling | quote }}
max_replicas: {{ .Values.workers.maxReplicas }}
max_cpu: {{ .Values.workers.maxCpu | quote }}
max_memory: {{ .Values.workers.maxMemory | quote }}
priority_class: {{ .Values.workers.priorityClassName | quote }}
pod_labels: {{ include "cpr-operator.workerLabels" . }}
pod_annotations: {{ toJson .Values.workers.podAnnotations }}
service_account_annotations: {{ toJson .Values.workers.serviceAccountAnnotations }}
{{- end -}}

{{- /* The namespaces that are followed, as a list in JSON; empty means all. */ -}}
{{- define "cpr-operator.watched" -}}
{{- if .Values.clusterWide -}}
[]
{{- else -}}
{{- .Values.watchNamespaces | default (list (include "cpr-operator.namespace" .)) | uniq | sortAlpha | toJson -}}
{{- end -}}
{{- end -}}

{{- /* Labels of the workers' pods, in JSON: those of the release, by which their metrics are found, and the user's. */ -}}
{{- define "cpr-operator.workerLabels" -}}
{{- merge (include "cpr-operator.releaseLabels" . | fromYaml) .Values.commonLabels .Values.workers.podLabels | toJson -}}
{{- end -}}
