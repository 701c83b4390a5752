{{- /* What the schema of the values cannot say: which of them go together. */ -}}

{{- define "cpr-operator.checks" -}}
{{- if eq .Values.mode "Cluster" }}
  {{- if not .Values.database.existingSecret }}
    {{- fail "mode Cluster needs a PostgreSQL database: name the Secret with its address in database.existingSecret" }}
  {{- end }}
  {{- if not .Values.rootKey.existingSecret }}
    {{- fail "mode Cluster needs a root key that all pods share: name its Secret in rootKey.existingSecret" }}
  {{- end }}
{{- else }}
  {{- if .Values.database.loginPerConsumer }}
    {{- fail "database.loginPerConsumer is of the workers that mode Cluster makes: leave it out, or set mode to Cluster" }}
  {{- end }}
  {{- if gt (int .Values.replicaCount) 1 }}
    {{- fail "mode AllInOne runs in one pod: leave replicaCount out, or set mode to Cluster" }}
  {{- end }}
{{- end }}
{{- if not .Values.database.existingSecret }}
  {{- if or .Values.database.keys.existingSecret .Values.database.listenUrl .Values.database.pooler }}
    {{- fail "database.keys, database.listenUrl and database.pooler are of a PostgreSQL database: name its Secret in database.existingSecret" }}
  {{- end }}
{{- end }}
{{- if and .Values.clusterWide .Values.watchNamespaces }}
  {{- fail "clusterWide follows all namespaces: leave watchNamespaces empty, or set clusterWide to false" }}
{{- end }}
{{- if and (has "Deny" .Values.admissionPolicy.actions) (has "Warn" .Values.admissionPolicy.actions) }}
  {{- fail "admissionPolicy.actions cannot have both Deny and Warn: what is refused needs no warning" }}
{{- end }}
{{- end -}}

{{- define "cpr-operator.replicas" -}}
{{- if kindIs "invalid" .Values.replicaCount -}}
{{- eq .Values.mode "Cluster" | ternary 2 1 -}}
{{- else -}}
{{- int .Values.replicaCount -}}
{{- end -}}
{{- end -}}
