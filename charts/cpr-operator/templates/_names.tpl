{{- /* Names and labels. */ -}}

{{- define "cpr-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- /* At most 52 characters, so that what is added to it makes no name too long. */ -}}
{{- define "cpr-operator.fullname" -}}
{{- $name := include "cpr-operator.name" . -}}
{{- $default := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- default $default .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "cpr-operator.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- /* Of objects without a namespace: releases of the same name in two namespaces have each their own. */ -}}
{{- define "cpr-operator.clusterName" -}}
{{- printf "%s-%s" (include "cpr-operator.fullname" .) (include "cpr-operator.namespace" .) -}}
{{- end -}}

{{- define "cpr-operator.serviceAccountName" -}}
{{- default (.Values.serviceAccount.create | ternary (include "cpr-operator.fullname" .) "default") .Values.serviceAccount.name -}}
{{- end -}}

{{- define "cpr-operator.claimName" -}}
{{- default (include "cpr-operator.fullname" .) .Values.persistence.existingClaim -}}
{{- end -}}

{{- define "cpr-operator.anchorName" -}}
{{- printf "%s-anchor" (include "cpr-operator.fullname" .) -}}
{{- end -}}

{{- /* Of the roles in the namespaces that are followed: another release may follow one of them too. */ -}}
{{- define "cpr-operator.followedName" -}}
{{- printf "%s-followed" (include "cpr-operator.clusterName" .) -}}
{{- end -}}

{{- define "cpr-operator.settingsName" -}}
{{- printf "%s-settings" (include "cpr-operator.fullname" .) -}}
{{- end -}}

{{- define "cpr-operator.metricsName" -}}
{{- printf "%s-metrics" (include "cpr-operator.fullname" .) -}}
{{- end -}}

{{- define "cpr-operator.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "cpr-operator.isOpenShift" -}}
{{- .Capabilities.APIVersions.Has "security.openshift.io/v1" -}}
{{- end -}}

{{- /* What all pods of the release have, the workers' too. */ -}}
{{- define "cpr-operator.releaseLabels" -}}
app.kubernetes.io/name: {{ include "cpr-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- /* What the operator's own pods have; never changed, for a selector cannot be. */ -}}
{{- define "cpr-operator.selectorLabels" -}}
{{ include "cpr-operator.releaseLabels" . }}
app.kubernetes.io/component: operator
{{- end -}}

{{- /* Of every object. */ -}}
{{- define "cpr-operator.labels" -}}
{{- $own := dict
  "app.kubernetes.io/version" .Chart.AppVersion
  "app.kubernetes.io/part-of" "cpr-operator"
  "app.kubernetes.io/managed-by" .Release.Service
  "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") -}}
{{- toYaml (merge $own (include "cpr-operator.releaseLabels" . | fromYaml) .Values.commonLabels) -}}
{{- end -}}

{{- /* Of the operator's pod; the chart's version is left out, for a new one alone is no reason to replace a pod. */ -}}
{{- define "cpr-operator.podLabels" -}}
{{- $own := dict "app.kubernetes.io/version" .Chart.AppVersion "app.kubernetes.io/part-of" "cpr-operator" -}}
{{- toYaml (merge $own (include "cpr-operator.selectorLabels" . | fromYaml) .Values.podLabels .Values.commonLabels) -}}
{{- end -}}

{{- /* Begins the metadata of an object in the release's namespace: name and labels. */ -}}
{{- define "cpr-operator.metadata" -}}
name: {{ .name }}
namespace: {{ include "cpr-operator.namespace" .root }}
labels:
  {{- include "cpr-operator.labels" .root | nindent 2 }}
{{- end -}}

{{- /* The same of an object without a namespace. */ -}}
{{- define "cpr-operator.clusterMetadata" -}}
name: {{ .name }}
labels:
  {{- include "cpr-operator.labels" .root | nindent 2 }}
{{- end -}}
