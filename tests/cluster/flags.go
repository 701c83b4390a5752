package main

import (
	"path/filepath"
	"strings"
)

// Files in a control plane's folder.
const (
	kubeconfigFile     = "kubeconfig"
	authorityFile      = "pki/ca.crt"
	servingFile        = "pki/apiserver.crt"
	servingKeyFile     = "pki/apiserver.key"
	accountKeyFile     = "pki/service-account.key"
	tokensFile         = "pki/tokens.csv"
	controllerKubeFile = "pki/controller-manager.kubeconfig"
)

const serviceRange = "10.96.0.0/16"

// controllers are those whose work a test can see without nodes.
var controllers = []string{
	"clusterrole-aggregation-controller",
	"deployment-controller",
	"disruption-controller",
	"endpointslice-controller",
	"garbage-collector-controller",
	"job-controller",
	"namespace-controller",
	"replicaset-controller",
	"root-ca-certificate-publisher-controller",
	"serviceaccount-controller",
	"serviceaccount-token-controller",
}

func apiServerFlags(dir, etcdURL, port string) []string {
	return []string{
		"--etcd-servers=" + etcdURL,
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		"--secure-port=" + port,
		"--endpoint-reconciler-type=none", // a loopback address is refused in Endpoints
		"--cert-dir=" + filepath.Join(dir, "pki"),
		"--tls-cert-file=" + filepath.Join(dir, servingFile),
		"--tls-private-key-file=" + filepath.Join(dir, servingKeyFile),
		"--token-auth-file=" + filepath.Join(dir, tokensFile),
		"--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + filepath.Join(dir, accountKeyFile),
		"--service-account-signing-key-file=" + filepath.Join(dir, accountKeyFile),
		"--service-cluster-ip-range=" + serviceRange,
		"--profiling=false",
	}
}

func controllerFlags(dir string) []string {
	return []string{
		"--kubeconfig=" + filepath.Join(dir, controllerKubeFile),
		"--secure-port=0",
		"--cert-dir=" + filepath.Join(dir, "pki"),
		"--leader-elect=false",
		"--controllers=" + strings.Join(controllers, ","),
		"--use-service-account-credentials",
		"--service-account-private-key-file=" + filepath.Join(dir, accountKeyFile),
		"--root-ca-file=" + filepath.Join(dir, authorityFile),
		"--kube-api-qps=200", "--kube-api-burst=400", // the defaults delay the start by seconds
		"--profiling=false",
	}
}
