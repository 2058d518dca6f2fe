{{/*
What the operator may do where it looks after clusters. Each line is there because a task needs it;
docs/internals/operator.md says which.
*/}}
{{- define "photondb-operator.rules" -}}
- apiGroups: [photondb.io]
  resources: [photonclusters]
  verbs: [list, watch]
- apiGroups: [photondb.io]
  resources: [photonclusters/status, photonpools/status]
  verbs: [patch]
# Owner references with blockOwnerDeletion, where the API server checks them.
- apiGroups: [photondb.io]
  resources: [photonclusters/finalizers, photonpools/finalizers]
  verbs: [update]
- apiGroups: [photondb.io]
  resources: [photonpools, photonnodes]
  verbs: [get, list, watch, create, patch, delete]
# Not used by the operator itself (the admission policy would refuse it). RBAC allows a subject to grant
# only permissions that it has, and the operator grants this one to each pod for its own node.
- apiGroups: [photondb.io]
  resources: [photonnodes/status]
  verbs: [get, patch]
- apiGroups: [apps]
  resources: [statefulsets]
  verbs: [get, list, watch, create, patch, delete]
# Validates the template of a StatefulSet before a pod is replaced.
- apiGroups: [apps]
  resources: [controllerrevisions]
  verbs: [list]
# delete: immutable fields (an address, a bound role) require a new object.
- apiGroups: [""]
  resources: [services, configmaps]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [get, list, watch, create, patch]
# No list and no watch: the operator reads only the Secrets that a cluster names. patch: to replace a
# certificate authority.
{{- with .Values.rbac.secretNames }}
- apiGroups: [""]
  resources: [secrets]
  resourceNames:
    {{- toYaml . | nindent 4 }}
  verbs: [get, patch]
- apiGroups: [""]
  resources: [secrets]
  verbs: [create]
{{- else }}
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, create, patch]
{{- end }}
# create: the pod that tests a new image before a serving pod is replaced.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get, list, watch, patch]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [roles]
  verbs: [get, list, watch, create, patch]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [rolebindings]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch]
# list: only the events of a pod report problems with quotas, sandboxes and volumes.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, list, patch]
{{- end }}
