// Command cluster is a Kubernetes control plane in one program: etcd, kube-apiserver and kube-controller-manager,
// without nodes, for tests and the demo. It needs no container engine and no root, and leaves nothing behind.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
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

// A child dies with the thread that started it (see component.go), so all of them are started by the main thread.
func init() { runtime.LockOSThread() }

func main() {
	args := os.Args[1:]
	if len(args) == 0 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(exitUsage)
	}
	var err error
	switch args[0] {
	case "run":
		err = run(args[1:])
	case "up":
		err = up(args[1:])
	case serveCommand:
		err = serve(args[1:])
	case "help", "--help", "-h":
		fmt.Print(usage)
	default:
		err = errUsage
	}
	os.Exit(report(err))
}

const (
	exitFailed   = 1
	exitUsage    = 2
	exitNotFound = 127
)

var errUsage = errors.New("wrong arguments")

// exitStatus is the status of a command that ended, to be passed on without a word.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// report tells what went wrong, if anything, and gives the exit status for it.
func report(err error) int {
	var status exitStatus
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	case errors.Is(err, errUsage):
		fmt.Fprint(os.Stderr, usage)
		return exitUsage
	default:
		say("%v", err)
		return exitFailed
	}
}

// say writes one line for the person at the terminal.
func say(format string, values ...any) {
	fmt.Fprintf(os.Stderr, "cluster: "+format+"\n", values...)
}
