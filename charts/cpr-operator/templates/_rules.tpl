{{- /* Rights of the operator, each with its reason. */ -}}

{{- /* In each namespace that is followed. */ -}}
{{- define "cpr-operator.rules.followed" -}}
# Follow the resources that users write.
- apiGroups: [cpr-operator.dev]
  resources: [consumersystems, cprsources, cprsubscriptions]
  verbs: [get, list, watch]
# Say in their status what became of them.
- apiGroups: [cpr-operator.dev]
  resources: [consumersystems/status, cprsources/status, cprsubscriptions/status]
  verbs: [patch]
# Read the Secrets that they name, and see when one changes. The program reads those with the label cpr-operator.dev/use only; a Role
# cannot say so.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch]
# The same for ConfigMaps, which hold certificates to trust.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch]
# Tell of each change of a condition as an Event, and count repetitions.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{- /* In the release's namespace. */ -}}
{{- define "cpr-operator.rules.own" -}}
# Make the Lease that decides which process reconciles. A name cannot be demanded of what is made.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
# Hold that Lease.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "cpr-operator.fullname" . }}]
  verbs: [get, update]
{{- if eq .Values.mode "Cluster" }}
{{ include "cpr-operator.rules.workers" . }}
{{- end }}
{{- end -}}

{{- /* In the release's namespace, where the operator makes workers. */ -}}
{{- define "cpr-operator.rules.workers" -}}
# Find the object that owns all that is made for workers, and the settings that they mount.
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: [{{ include "cpr-operator.anchorName" . }}, {{ include "cpr-operator.settingsName" . }}]
  verbs: [get]
# Make the workers of each source and each consumer, scale them, and see how many are ready.
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
# Give each worker a service account of its own, without rights and without a token.
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [get, list, watch, create, patch, delete]
# Copy to each worker the credentials that it needs and no others.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch, create, patch, delete]
# Let each worker reach its database, its register or its consumer, and nothing else.
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
# Keep a worker while nodes are drained.
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
{{- end -}}

{{- /* Binds a role to the operator's service account. */ -}}
{{- define "cpr-operator.subjects" -}}
subjects:
  - kind: ServiceAccount
    name: {{ include "cpr-operator.serviceAccountName" . }}
    namespace: {{ include "cpr-operator.namespace" . }}
{{- end -}}
