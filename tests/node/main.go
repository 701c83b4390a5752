// Command node is a Kubernetes cluster of two nodes with real pods in one program, for tests: etcd, API server,
// controllers, scheduler, and per node kubelet and kube-proxy, and CoreDNS. containerd, runc and the network plugins are
// Debian's (see install). Everything runs in namespaces of its own and is gone when the command ends. There is no way to
// the outside, nothing pulls images, no storage class makes volumes (a hostPath in /var/lib is the node's own and goes
// with it), and NetworkPolicies are accepted but not enforced.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/bind" // what config/Corefile names
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/template"
	"k8s.io/component-base/cli"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	"testbed/cluster/plane"
	"testbed/cluster/process"
)

const usage = `A Kubernetes cluster of two nodes with real pods, for tests. Needs root and what
tests/node/install installs.

  node run [--dir DIR] -- COMMAND [ARG...]
      Starts the cluster, runs COMMAND beside it, takes everything down and exits
      with COMMAND's status. COMMAND cannot reach the outside.
        --dir DIR   keep the logs in DIR
      COMMAND gets these variables:
        KUBECONFIG        of the cluster's administrator
        NODE_ADDRESS      where COMMAND can listen so that pods reach it
        NODE_PROGRAM      this program, for "$NODE_PROGRAM image ..."
        NODE_CONTAINERDS  where that puts images
  node image --tag NAME:TAG [--entrypoint PATH] [--label KEY=VALUE]... [--out FILE]
             PROGRAM[:PATH]...
      Packs programs and the shared libraries they need as an image and puts it
      on every node, for pods whose imagePullPolicy is not Always. The same content
      gives the same digest.
        --entrypoint  what the image runs (default: the first program)
        --label       tells images of the same programs apart
        --out FILE    write an OCI archive instead
      PATH is PROGRAM's place in the image (default: /usr/bin/ and its name).

Environment:
  CLUSTER=current     run: start nothing, use the kubeconfig's current context
`

// Hidden subcommands, under which this program starts itself.
const (
	insideCommand  = "inside"
	machineCommand = "machine"
	kubeletCommand = "kubelet"
	proxyCommand   = "kube-proxy"
	dnsCommand     = "coredns"
)

func main() {
	if len(os.Args) < 2 {
		os.Exit(process.Report(process.ErrUsage, usage))
	}
	name, args := os.Args[1], os.Args[2:]
	var err error
	switch name {
	case "run":
		err = run(args)
	case "image":
		err = packImage(args)
	case "help", "--help", "-h":
		fmt.Print(usage)
	case insideCommand:
		err = inside(args)
	case machineCommand:
		err = runMachine(args)
	default:
		err = runPart(name, args)
	}
	os.Exit(process.Report(err, usage))
}

// runPart runs what would be a program of its own elsewhere. One program links once and shares its pages.
func runPart(name string, args []string) error {
	os.Args = os.Args[1:]
	switch name {
	case plane.ServeCommand:
		return plane.Serve(args, schedule)
	case kubeletCommand:
		os.Exit(cli.Run(kubelet.NewKubeletCommand(context.Background())))
	case proxyCommand:
		os.Exit(cli.Run(proxy.NewProxyCommand()))
	case dnsCommand:
		coremain.Run()
	}
	return process.ErrUsage
}
