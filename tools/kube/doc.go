// Package kube holds what is under deploy/kubernetes and deploy/helm against the
// schemas of Kubernetes, the restricted pod security standard, the flags of the
// binary, and itself. It is a module of its own, so that nobody else inherits what
// that takes, and it speaks to no cluster.
package kube
