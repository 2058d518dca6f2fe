{{/*
What the operator may do where it looks after clusters. Each line is there because a task needs it;
docs/internals/operator.md says which.
*/}}
{{- define "photondb-operator.rules" -}}
- apiGroups: [photondb.io]
  resources: [photonclusters]
  verbs: [get, list, watch]
- apiGroups: [photondb.io]
  resources: [photonclusters/status, photonpools/status]
  verbs: [get, patch]
# Owner references with blockOwnerDeletion, where the API server checks them.
- apiGroups: [photondb.io]
  resources: [photonclusters/finalizers, photonpools/finalizers]
  verbs: [update]
- apiGroups: [photondb.io]
  resources: [photonpools, photonnodes]
  verbs: [get, list, watch, create, patch, delete]
# Never used by the operator itself (the admission policy would refuse it): RBAC lets nobody
# grant what he does not hold, and the operator grants this to each pod for its own node.
- apiGroups: [photondb.io]
  resources: [photonnodes/status]
  verbs: [get, patch]
- apiGroups: [apps]
  resources: [statefulsets]
  verbs: [get, list, watch, create, patch, delete]
# What the controller of a StatefulSet knows of its template, before a pod is replaced.
- apiGroups: [apps]
  resources: [controllerrevisions]
  verbs: [list]
- apiGroups: [""]
  resources: [services, configmaps, serviceaccounts]
  verbs: [get, list, watch, create, patch, delete]
# No list and no watch: the operator reads the Secrets that a cluster names, and no others.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, create]
# create: the pod that tries a new image before the one that serves is replaced.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get, list, watch, patch]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [roles, rolebindings]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
# list: what a quota, a sandbox or a volume lacks stands in events about the pod alone.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, list, patch]
{{- end }}
