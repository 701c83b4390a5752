{{- /* The operator's pod. */ -}}

{{- define "cpr-operator.podSpec" -}}
serviceAccountName: {{ include "cpr-operator.serviceAccountName" . }}
automountServiceAccountToken: {{ .Values.serviceAccount.automount }}
# Variables that begin with the program's name are taken for settings.
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
securityContext:
  {{- include "cpr-operator.podSecurityContext" . | nindent 2 }}
{{- include "cpr-operator.placement" . }}
containers:
  {{- include "cpr-operator.container" . | nindent 2 }}
volumes:
  {{- include "cpr-operator.volumes" . | nindent 2 }}
{{- end -}}

{{- /* OpenShift chooses users and groups from a range of the namespace and refuses others. */ -}}
{{- define "cpr-operator.podSecurityContext" -}}
{{- if eq (include "cpr-operator.isOpenShift" .) "true" -}}
{{- toYaml (omit .Values.podSecurityContext "fsGroup" "runAsUser" "runAsGroup") -}}
{{- else -}}
{{- toYaml .Values.podSecurityContext -}}
{{- end -}}
{{- end -}}

{{- define "cpr-operator.placement" -}}
{{- range $key := list "nodeSelector" "tolerations" "affinity" }}
{{- with get $.Values $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- if .Values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml .Values.topologySpreadConstraints | nindent 2 }}
{{- else if gt (include "cpr-operator.replicas" . | int) 1 }}
topologySpreadConstraints:
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "cpr-operator.selectorLabels" $ | nindent 8 }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "cpr-operator.container" -}}
- name: cpr-operator
  image: {{ include "cpr-operator.image" . }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  args:
    - {{ eq .Values.mode "Cluster" | ternary "operator" "all" }}
    - --config
    - /etc/cpr-operator/settings/settings.toml
    {{- with .Values.extraArgs }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  env:
    # For tools that are run in the pod: they find the running process by its settings.
    - { name: CPR_CONFIG, value: /etc/cpr-operator/settings/settings.toml }
    # The Lease names its holder by it.
    - { name: POD_NAME, valueFrom: { fieldRef: { fieldPath: metadata.name } } }
    {{- with .Values.extraEnv }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  ports:
    - { name: metrics, containerPort: {{ .Values.http.port }} }
  livenessProbe: { httpGet: { path: /livez, port: metrics }, periodSeconds: 20, timeoutSeconds: 5 }
  readinessProbe: { httpGet: { path: /readyz, port: metrics }, timeoutSeconds: 5 }
  securityContext:
    {{- toYaml .Values.securityContext | nindent 4 }}
  resources:
    {{- toYaml .Values.resources | nindent 4 }}
  volumeMounts:
    {{- include "cpr-operator.mounts" . | nindent 4 }}
{{- end -}}

{{- define "cpr-operator.mounts" -}}
- { name: settings, mountPath: /etc/cpr-operator/settings, readOnly: true }
- { name: store, mountPath: /var/lib/cpr-operator }
- { name: run, mountPath: /run/cpr-operator }
- { name: tmp, mountPath: /tmp }
{{- if .Values.rootKey.existingSecret }}
- { name: root-key, mountPath: /etc/cpr-operator/keys, readOnly: true }
{{- end }}
{{- if .Values.database.existingSecret }}
- { name: database, mountPath: /etc/cpr-operator/database, readOnly: true }
{{- end }}
{{- if .Values.database.caBundle.existingConfigMap }}
- { name: database-ca, mountPath: /etc/cpr-operator/database-ca, readOnly: true }
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "cpr-operator.volumes" -}}
- name: settings
  configMap: { name: {{ include "cpr-operator.settingsName" . }} }
- name: store
  {{- if and .Values.persistence.enabled (ne .Values.mode "Cluster") }}
  persistentVolumeClaim: { claimName: {{ include "cpr-operator.claimName" . }} }
  {{- else }}
  emptyDir: {}
  {{- end }}
# The admin socket: not every kind of volume can hold one.
- name: run
  emptyDir: { medium: Memory, sizeLimit: 1Mi }
# SQLite sorts large results here.
- name: tmp
  emptyDir: {}
{{- with .Values.rootKey.existingSecret }}
# For the group alone (440 in octal).
- name: root-key
  secret: { secretName: {{ . }}, defaultMode: 288, items: [{ key: root, path: root }] }
{{- end }}
{{- if .Values.database.existingSecret }}
- name: database
  {{- include "cpr-operator.databaseVolume" . | nindent 2 }}
{{- end }}
{{- with .Values.database.caBundle }}
{{- if .existingConfigMap }}
- name: database-ca
  configMap: { name: {{ .existingConfigMap }}, items: [{ key: {{ .key }}, path: ca.crt }] }
{{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "cpr-operator.databaseVolume" -}}
projected:
  defaultMode: 288
  sources:
    - secret:
        name: {{ .Values.database.existingSecret }}
        items:
          - { key: url, path: url }
          {{- if .Values.database.listenUrl }}
          - { key: listenUrl, path: listenUrl }
          {{- end }}
    {{- with .Values.database.keys.existingSecret }}
    - secret:
        name: {{ . }}
        items: [{ key: keysUrl, path: keysUrl }]
    {{- end }}
{{- end -}}
