// Command cluster is a Kubernetes control plane in one program: etcd, kube-apiserver and kube-controller-manager,
// without nodes, for tests and the demo. It needs no container engine and no root, and leaves nothing behind.
package main

import (
	"fmt"
	"os"

	"testbed/cluster/plane"
	"testbed/cluster/process"
)

const usage = `A Kubernetes control plane (etcd, API server, controllers; no nodes) for tests.

  cluster run [--dir DIR] [--print] -- COMMAND [ARG...]
      Starts a control plane, runs COMMAND with KUBECONFIG set, stops everything
      and exits with COMMAND's status.
        --dir DIR   keep data, logs and kubeconfig in DIR (default: a temporary
                    folder, removed at the end)
        --print     say where the kubeconfig and the logs are
  cluster up DIR
      Starts a control plane in DIR, prints the path of its kubeconfig when it is
      ready, and runs until SIGINT or SIGTERM.

Environment:
  CLUSTER=current     run: start nothing, use the kubeconfig's current context
  KUBEBUILDER_ASSETS  folder with etcd, kube-apiserver and kube-controller-manager
                      to start instead of the built-in ones
`

func main() {
	args := os.Args[1:]
	if len(args) == 0 {
		os.Exit(process.Report(process.ErrUsage, usage))
	}
	var err error
	switch args[0] {
	case "run":
		err = run(args[1:])
	case "up":
		err = up(args[1:])
	case plane.ServeCommand:
		err = plane.Serve(args[1:], nil)
	case "help", "--help", "-h":
		fmt.Print(usage)
	default:
		err = process.ErrUsage
	}
	os.Exit(process.Report(err, usage))
}
