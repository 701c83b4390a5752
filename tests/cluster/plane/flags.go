package plane

import (
	"net"
	"path/filepath"
	"strings"
)

// Files in a control plane's folder.
const (
	kubeconfigFile       = "kubeconfig"
	authorityFile        = "pki/ca.crt"
	servingFile          = "pki/apiserver.crt"
	servingKeyFile       = "pki/apiserver.key"
	kubeletClientFile    = "pki/kubelet-client.crt"
	kubeletClientKeyFile = "pki/kubelet-client.key"
	accountKeyFile       = "pki/service-account.key"
	tokensFile           = "pki/tokens.csv"
	controllerKubeFile   = "pki/controller-manager.kubeconfig"
	schedulerKubeFile    = "pki/scheduler.kubeconfig"
)

// ServiceRange is what the addresses of Services are taken from.
const ServiceRange = "10.96.0.0/16"

// controllersWithoutNodes are those whose work a test can see without nodes.
var controllersWithoutNodes = []string{
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

func apiServerFlags(dir, etcdURL, address string) []string {
	host, port, _ := net.SplitHostPort(address)
	return []string{
		"--etcd-servers=" + etcdURL,
		"--bind-address=" + host,
		"--advertise-address=" + host,
		"--secure-port=" + port,
		"--cert-dir=" + filepath.Join(dir, "pki"),
		"--tls-cert-file=" + filepath.Join(dir, servingFile),
		"--tls-private-key-file=" + filepath.Join(dir, servingKeyFile),
		"--token-auth-file=" + filepath.Join(dir, tokensFile),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + filepath.Join(dir, accountKeyFile),
		"--service-account-signing-key-file=" + filepath.Join(dir, accountKeyFile),
		"--service-cluster-ip-range=" + ServiceRange,
		"--profiling=false",
	}
}

func apiServerFlagsWithoutNodes() []string {
	return []string{
		"--authorization-mode=RBAC",
		"--endpoint-reconciler-type=none", // a loopback address is refused in Endpoints
	}
}

func apiServerFlagsWithNodes(dir string) []string {
	return []string{
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--allow-privileged",
		"--kubelet-certificate-authority=" + filepath.Join(dir, authorityFile),
		"--kubelet-client-certificate=" + filepath.Join(dir, kubeletClientFile),
		"--kubelet-client-key=" + filepath.Join(dir, kubeletClientKeyFile),
		"--kubelet-preferred-address-types=InternalIP",
	}
}

func controllerFlags(dir string, controllers ...string) []string {
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
